"""The encoder of a transformer."""
