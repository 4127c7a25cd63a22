"""A job's memory as its parent sees it, about once a second.

A cross-check of what the worker counts, and all that is known of one that was killed. It misses every peak between two
looks; the worker's own high-water marks do not.
"""

from dataclasses import dataclass

import psutil


@dataclass
class Onlooker:
    """What a worker and all below it held together, in bytes, when it was looked at."""

    looks: int = 0
    peak_bytes: int = 0
    last_bytes: int = 0

    def look(self, pid: int) -> None:
        """Add up what is resident now. A process that is gone holds nothing and does not count as a look."""
        try:
            worker = psutil.Process(pid)
            held = worker.memory_info().rss
            below = worker.children(recursive=True)
        except psutil.Error:
            return
        self.looks += 1
        self.last_bytes = held + sum(resident(process) for process in below)
        self.peak_bytes = max(self.peak_bytes, self.last_bytes)


def resident(process: psutil.Process) -> int:
    """What one process holds; nothing if it has ended meanwhile."""
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
