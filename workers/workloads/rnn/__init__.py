"""A recurrent network along a sequence."""
