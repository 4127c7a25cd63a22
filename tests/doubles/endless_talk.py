"""A worker that sends hello, then endless valid events, each padded with spaces to a mebibyte."""

import os
import sys

os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % os.getpid())
while True:
    sys.stdout.write('{"kind":"phase","name":"steady"' + " " * (1 << 20) + "}\n")
