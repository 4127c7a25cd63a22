"""Real sweeps from the command line that take a few seconds: NumPy and its clone, and two modes of known times.

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

# Two modes whose times differ by a factor of three.
TWO_MODES = """\
[axes]
frameworks = ["synthetic:spin", "synthetic:compiled"]
workloads = ["synthetic:spin_ns=30000:compiled_ns=10000:compile_ns=1000000"]

[timing]
samples = 5
sample_ns = 2000000
warmup_min_ns = 1000000
"""
