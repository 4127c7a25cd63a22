"""Intervals, exact tests and the looks of a sequential design."""
