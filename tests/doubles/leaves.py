"""A worker that sends hello and a phase, then ends as its arguments say: `exit 3`, or `signal 11`."""

import os
import resource
import sys

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % os.getpid())
os.write(1, b'{"kind":"phase","name":"first_call"}\n')
how, number = sys.argv[1], int(sys.argv[2])
if how == "exit":
    os._exit(number)
os.kill(os.getpid(), number)
