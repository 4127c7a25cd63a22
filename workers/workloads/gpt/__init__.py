"""A generative transformer."""
