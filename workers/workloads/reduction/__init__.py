"""Reductions along both axes of a matrix."""
