"""The channel to the parent: one JSON object per line, on a descriptor that no framework can reach.

Frameworks write to descriptor 1 from Python and from C. So the real one moves to another number before anything else
is imported, and descriptor 1 is redirected to descriptor 2: the job's log.
"""

import os
import sys

from schemas.base import Model


class Channel:
    """Owner of the claimed descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def claim(cls) -> "Channel":
        """Reserve standard output for events, and send everything else written to it to standard error."""
        kept = os.dup(1)
        os.set_inheritable(kept, False)  # a child process must neither write events nor keep the pipe open
        os.dup2(2, 1)
        sys.stdout.flush()  # text printed before the claim goes to the log as well
        return cls(kept)

    def send(self, event: Model) -> None:
        """Write one event as one line. This blocks while the pipe is full: never call it in a timed region."""
        line = memoryview(event.model_dump_json().encode() + b"\n")
        while line:
            # A pipe may accept only a part of a long line.
            line = line[os.write(self._descriptor, line) :]
