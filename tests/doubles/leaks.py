"""Reads its message, then takes ever more memory, up to a gibibyte, and says so if it cannot have it."""

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
