"""A plain static network."""
