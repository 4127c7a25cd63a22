"""A real sweep from the command line that takes a few seconds: NumPy and its clone, one block."""

import sys

PROGRAM = [sys.executable, "-m", "orchestrator"]
QUICK = """\
[axes]
frameworks = ["numpy"]
workloads = ["synthetic"]

[timing]
samples = 5
calls = 100
sample_ns = 1000000
warmup_min_ns = 1000000

[stop]
blocks = 1
"""
