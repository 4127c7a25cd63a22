"""A worker that leaves a child behind with all its descriptors, and becomes the polite worker."""

import os
import sys
import time
from pathlib import Path

if os.fork() == 0:
    time.sleep(60)
    os._exit(0)
os.execv(sys.executable, [sys.executable, "-I", "-S", str(Path(__file__).with_name("polite.py"))])
