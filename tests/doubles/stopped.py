"""A worker that enters a phase and stops itself with SIGSTOP."""

import os
import signal

os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % os.getpid())
os.write(1, b'{"kind":"phase","name":"compile"}\n')
os.kill(os.getpid(), signal.SIGSTOP)
