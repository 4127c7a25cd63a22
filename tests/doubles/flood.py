"""A worker that writes 50 megabytes to its log, and becomes the polite worker."""

import os
import sys
from pathlib import Path

for _ in range(50):
    os.write(2, b"x" * 999_999 + b"\n")
os.execv(sys.executable, [sys.executable, "-I", "-S", str(Path(__file__).with_name("polite.py"))])
