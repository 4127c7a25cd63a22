"""A real sweep from the command line that takes a few seconds: NumPy and its clone, one block.

A sample is a few milliseconds, so that a busy machine does not make its calls look nonlinear.
"""

import sys

PROGRAM = [sys.executable, "-m", "orchestrator"]
QUICK = """\
[axes]
frameworks = ["numpy"]
workloads = ["synthetic"]

[timing]
samples = 5
calls = 1000
sample_ns = 5000000
warmup_min_ns = 1000000

[stop]
blocks = 1
"""
