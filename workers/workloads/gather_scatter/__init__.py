"""Rows of a table, gathered by indices and summed into bins."""
