"""The way to the parent: one JSON object a line, on a descriptor that no framework can reach.

Frameworks write to descriptor 1 from Python and from C. So the real one is kept under another number before
anything else is imported, and descriptor 1 then points where descriptor 2 does: to the job's log.
"""

import os
import sys

from schemas.base import Model


class Channel:
    """Owns the claimed descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def claim(cls) -> "Channel":
        """Keep standard output for events alone, and send everything else written to it to standard error."""
        kept = os.dup(1)
        os.set_inheritable(kept, False)
        os.dup2(2, 1)
        sys.stdout.flush()  # what was printed before this goes to the log as well
        return cls(kept)

    def send(self, event: Model) -> None:
        """Write one event as one line. Blocks while the pipe is full, so never call it in a timed region."""
        line = memoryview(event.model_dump_json().encode() + b"\n")
        while line:
            line = line[os.write(self._descriptor, line) :]
