"""The runs of a folder in a browser, while they run and afterwards: read-only, on this machine alone."""
