"""Keeps one core busy, `python hog.py CORE`, for as long as the process that started it is there."""

import os
import sys

os.sched_setaffinity(0, {int(sys.argv[1])})
parent = os.getppid()
while os.getppid() == parent:
    pass
