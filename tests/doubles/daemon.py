"""A worker that reads its message, leaves a daemon behind and reports the daemon's process id.

The daemon has left the process group, the session and its parents. With the argument `wait` the worker keeps running.
With `bare` the daemon has also discarded its environment.
"""

import os
import sys
import time

SLEEP = [sys.executable, "-I", "-S", "-c", "import os, time; os.write(3, b'%d' % os.getpid()); time.sleep(60)"]
sys.stdin.buffer.read()
os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % os.getpid())
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.dup2(writer, 3)
        os.set_inheritable(3, True)
        os.execve(SLEEP[0], SLEEP, {} if "bare" in sys.argv else dict(os.environ))
    os._exit(0)
os.wait()
os.write(1, b'{"kind":"failure","outcome":"raised","reason":"%s"}\n' % os.read(reader, 20))
if "wait" in sys.argv:
    time.sleep(60)
