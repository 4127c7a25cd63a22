"""Reads its message, then forks without end, and so does every child, whatever is refused to them."""

import contextlib
import os
import sys

os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % os.getpid())
sys.stdin.buffer.read()
while True:
    with contextlib.suppress(OSError):
        os.fork()
