"""A synthetic workload: a known time and known memory."""
