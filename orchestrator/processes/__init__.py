"""Child processes: limits, cgroups, descendants, signals, and the end of all of them."""
