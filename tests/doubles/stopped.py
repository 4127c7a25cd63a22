"""Enters a phase and stops, as if somebody had sent it SIGSTOP."""

import os
import signal

os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % os.getpid())
os.write(1, b'{"kind":"phase","name":"compile"}\n')
os.kill(os.getpid(), signal.SIGSTOP)
