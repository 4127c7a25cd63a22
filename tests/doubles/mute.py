"""A worker that closes its standard output at once, and runs for a second."""

import os
import time

os.close(1)
time.sleep(1)
