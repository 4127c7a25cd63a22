"""Closes the way to its parent at once, and goes on for a second."""

import os
import time

os.close(1)
time.sleep(1)
