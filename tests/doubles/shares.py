"""A worker that reads its message, then allocates two gibibytes of shared memory, which counts as no process's data.

With `helper`, a child allocates the memory and the worker waits.
"""

import mmap
import os
import sys
import time

sys.stdin.buffer.read()
os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % os.getpid())
os.write(1, b'{"kind":"phase","name":"first_call"}\n')
if "helper" in sys.argv and os.fork() != 0:
    time.sleep(60)
shared = mmap.mmap(-1, 2 << 30)
for start in range(0, 2 << 30, mmap.PAGESIZE):
    shared[start] = 1
