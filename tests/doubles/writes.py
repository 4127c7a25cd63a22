"""A writer of one file, for tests that let several write at once or kill one.

The arguments are the file, the character of which its content consists, and how many times to write it.
"""

import sys
from pathlib import Path

from orchestrator.files import atomic

for number in range(int(sys.argv[3])):
    atomic.write_text(Path(sys.argv[1]), sys.argv[2] * 300_000)
    if number == 0:
        print("writing", flush=True)
