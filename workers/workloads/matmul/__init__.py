"""One matrix product."""
