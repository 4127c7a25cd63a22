"""Comparisons over several nodes of one type of machine."""
