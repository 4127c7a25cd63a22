"""A worker that does everything right. Its last event is its message, which the test chooses."""

import os
import sys

message = sys.stdin.buffer.read()
print(f"a framework talks; {dict(os.environ)}", file=sys.stderr)
os.write(1, b'{"kind":"hello","pid":%d,"python":"3.11","interpreter":"x"}\n' % os.getpid())
os.write(1, b'{"kind":"phase","name":"import"}\n')
os.write(1, b'{"kind":"phase","name":"steady"}\n')
os.write(1, message + b"\n")
