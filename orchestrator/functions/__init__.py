"""Functions of a program, a notebook or a test, compared as the models of a sweep are."""
