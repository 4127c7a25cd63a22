"""A job's memory, sampled by its parent about once a second.

It cross-checks the worker's own counts, and it is all that is known about a killed worker. It misses every peak between
two samples; the worker's own high-water marks do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import psutil


@dataclass
class MemorySampler:
    """The resident memory of all processes of a job when sampled, in bytes."""

    looks: int = 0
    peak_bytes: int = 0
    last_bytes: int = 0

    def take_sample(self, members: Sequence[psutil.Process]) -> None:
        """Take a sample, unless no process is left."""
        held = sum(map(resident_bytes, members))
        # A zero would replace the last figure, which is all that is known of a killed job.
        if not held:
            return
        self.looks += 1
        self.last_bytes = held
        self.peak_bytes = max(self.peak_bytes, self.last_bytes)


def resident_bytes(process: psutil.Process) -> int:
    """Return the resident memory of one process in bytes; 0 if it has ended meanwhile."""
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
