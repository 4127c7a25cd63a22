"""The machine: its fingerprint, its current load, and whether it is fit to measure."""
