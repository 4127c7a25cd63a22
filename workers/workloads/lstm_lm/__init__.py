"""A recurrent language model."""
