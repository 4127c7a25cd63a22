"""A worker traced by a child outside its process group: when it is killed, only its tracer may reap it."""

import ctypes
import os
import time

PTRACE_SEIZE, PR_SET_PTRACER, ANYBODY = 0x4206, 0x59616D61, ctypes.c_ulong(-1)
libc = ctypes.CDLL(None)
libc.prctl(PR_SET_PTRACER, ANYBODY, 0, 0, 0)
os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % os.getpid())
parent = os.getpid()
if os.fork() == 0:
    os.setsid()
    libc.ptrace(PTRACE_SEIZE, parent, None, None)
    time.sleep(60)
    os._exit(0)
time.sleep(60)
