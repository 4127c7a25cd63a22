"""A worker that reads its message, then forks endlessly, as does every child, even if the kernel refuses forks."""

import contextlib
import os
import sys

os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % os.getpid())
sys.stdin.buffer.read()
while True:
    with contextlib.suppress(OSError):
        os.fork()
