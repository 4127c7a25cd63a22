"""A worker that sends hello, then one line that never ends."""

import os

os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % os.getpid())
while True:
    os.write(1, b"x" * (1 << 16))
