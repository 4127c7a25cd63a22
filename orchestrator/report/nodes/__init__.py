"""Comparisons over nodes, on a terminal and in sentences."""
