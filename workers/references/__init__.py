"""The formulas of the references, in NumPy."""
