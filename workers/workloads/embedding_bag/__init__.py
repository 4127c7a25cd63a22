"""A recommendation network."""
