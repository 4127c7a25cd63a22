"""Models in files that runtimes open: one file for each kind of them."""
