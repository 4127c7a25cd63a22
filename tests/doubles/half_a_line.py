"""A worker that sends hello, and exits in the middle of its next event."""

import os

os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % os.getpid())
os.write(1, b'{"kind":"phase","na')
