"""A worker that runs forever, ignores SIGINT and SIGTERM, and has a child that does the same."""

import os
import signal
import time

signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
parent = os.getpid()
if os.fork() != 0:
    os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % parent)
    os.write(1, b'{"kind":"phase","name":"warm_up"}\n')
while True:
    time.sleep(60)
