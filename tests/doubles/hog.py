"""A program, `python hog.py CORE`, that keeps one core busy until the process that started it ends."""

import os
import sys

os.sched_setaffinity(0, {int(sys.argv[1])})
parent = os.getppid()
while os.getppid() == parent:
    pass
