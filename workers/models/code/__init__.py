"""Models in Python code: one file for each framework that they are written for."""
