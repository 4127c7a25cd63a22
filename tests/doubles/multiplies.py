"""A worker that reads its message, then starts a child every millisecond until refused; no child ends for a minute."""

import os
import sys
import time

sys.stdin.buffer.read()
os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % os.getpid())
while os.fork() != 0:
    time.sleep(0.001)
time.sleep(60)
