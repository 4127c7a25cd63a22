"""Says hello, then valid events without end, each padded to a mebibyte as JSON allows."""

import os
import sys

os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % os.getpid())
while True:
    sys.stdout.write('{"kind":"phase","name":"steady"' + " " * (1 << 20) + "}\n")
