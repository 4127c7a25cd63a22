"""A worker that reads its message, then allocates up to a gibibyte of memory, and reports a refusal."""

import os
import sys

sys.stdin.buffer.read()
os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % os.getpid())
kept: list[bytes] = []
try:
    while len(kept) < 64:
        kept.append(b"x" * (16 << 20))
except MemoryError:
    kept.clear()
    os.write(1, b'{"kind":"failure","outcome":"out-of-memory","reason":"MemoryError"}\n')
