"""Watcher of one child process that tells when a signal had stopped it: SIGSTOP, SIGTSTP or the like.

The kernel tells a parent of each stop and each continuation, but only in a wait. So a thread waits; it uses no CPU.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from typing import Final

# Time for the thread to end after its process has; only a tracer's process may take longer.
JOIN_S: Final = 1.0


class StopWatcher:
    """Watcher of a child process until its end. Times are in nanoseconds on the monotonic clock."""

    def __init__(self, pid: int, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        # A process id may be used again after the child's end, a descriptor not.
        self._descriptor = os.pidfd_open(pid)
        self._spans: list[tuple[int, int]] = []
        self._since: int | None = None
        # A daemon: a child that cannot be reaped must not keep this program from ending.
        self._thread = threading.Thread(target=self._wait_for_changes, daemon=True)
        self._thread.start()

    def total_ns(self) -> int:
        """Return how long the process has been stopped so far, a stop that lasts included."""
        return sum(end - start for start, end in self.list_spans())

    def list_spans(self) -> tuple[tuple[int, int], ...]:
        """Return the beginning and end of each stop; the end of one that lasts is now."""
        since = self._since  # read first: the thread may end this stop at any time
        return (*self._spans, (since, self._clock())) if since is not None else tuple(self._spans)

    def end_watch(self) -> None:
        """End watching, after the process has ended."""
        self._thread.join(JOIN_S)
        self._end_stop()

    def _wait_for_changes(self) -> None:
        with contextlib.suppress(OSError):  # it has ended
            while found := os.waitid(os.P_PIDFD, self._descriptor, os.WSTOPPED | os.WCONTINUED):
                if found.si_code == os.CLD_CONTINUED:
                    self._end_stop()
                elif self._since is None:
                    self._since = self._clock()
        self._end_stop()
        os.close(self._descriptor)

    def _end_stop(self) -> None:
        if self._since is not None:
            # In this order: for a moment a stop may count twice, but a stop that did not count would end the job.
            self._spans.append((self._since, self._clock()))
            self._since = None
