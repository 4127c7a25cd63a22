"""A chain of elementwise operations."""
