"""A worker that reads its message, opens up to ten thousand files, and reports their number and the core limit."""

import os
import resource
import sys

sys.stdin.buffer.read()
os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % os.getpid())
count = 0
try:
    while count < 10_000:
        os.open(os.devnull, os.O_RDONLY)
        count += 1
except OSError:
    pass
core = resource.getrlimit(resource.RLIMIT_CORE)
os.write(1, b'{"kind":"failure","outcome":"raised","reason":"%d files, core %d %d"}\n' % (count, *core))
