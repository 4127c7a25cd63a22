"""A worker that sends hello, then exactly the bytes given as an argument, and waits until it is ended."""

import os
import sys
import time

os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % os.getpid())
os.write(1, sys.argv[1].encode().decode("unicode_escape").encode("latin-1"))
time.sleep(60)
