"""A job's memory as its parent sees it, about once a second.

A cross-check of what the worker counts, and all that is known of one that was killed. It misses every peak between two
looks; the worker's own high-water marks do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import psutil


@dataclass
class Onlooker:
    """What a job's processes held together, in bytes, when they were looked at."""

    looks: int = 0
    peak_bytes: int = 0
    last_bytes: int = 0

    def look(self, members: Sequence[psutil.Process]) -> None:
        """Add up what is resident now. If nobody is left, that is not a look."""
        held = sum(map(resident, members))
        if not held:
            return
        self.looks += 1
        self.last_bytes = held
        self.peak_bytes = max(self.peak_bytes, self.last_bytes)


def resident(process: psutil.Process) -> int:
    """What one process holds; nothing if it has ended meanwhile."""
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
