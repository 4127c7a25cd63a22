"""A worker that sends hello, then endless short, valid events."""

import os

os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % os.getpid())
while True:
    os.write(1, b'{"kind":"phase","name":"steady"}\n' * 1000)
