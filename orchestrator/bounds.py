"""What one job may use up, set with the kernel where it can be, and looked at once a second where not.

The kernel bounds memory and open files by process, and processes by user, root excepted. So the number of a job's
processes is counted from outside, as is the size of its log: between two looks either may go too far.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from schemas.limits import Limits

MIB = 1 << 20


class LimitReached(Exception):
    """A job has used up what it may; the message says what."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """One job's limits."""

    limits: Limits
    log: Path

    def impose(self, pid: int) -> None:
        """Set the limits of a process that has just been started; what it starts inherits them."""
        if sys.platform != "linux":
            return
        import resource  # noqa: PLC0415 (`prlimit` is Linux's own)

        lower(pid, resource.RLIMIT_CORE, 0)
        lower(pid, resource.RLIMIT_NOFILE, self.limits.files)
        if self.limits.memory is not None:
            lower(pid, resource.RLIMIT_DATA, self.limits.memory)

    def look(self, members: Sequence[psutil.Process]) -> None:
        """See whether the job, with these processes, keeps to its limits.

        Raises:
            LimitReached: it does not.
        """
        self.look_at_log()
        count = len(members)
        if count > self.limits.processes:
            raise LimitReached(f"it had {count} processes at once, more than the {self.limits.processes} allowed")

    def look_at_log(self) -> None:
        """See whether the log has become too long; if so, cut it.

        Raises:
            LimitReached: it was.
        """
        if self.log.stat().st_size > self.limits.log:
            raise LimitReached(f"it printed more than the {self.limits.log / MIB:g} MiB allowed")

    def cut_log(self) -> None:
        """Leave the beginning of a log that is too long."""
        if self.log.is_file() and self.log.stat().st_size > self.limits.log:
            os.truncate(self.log, self.limits.log)


def lower(pid: int, what: int, most: int) -> None:
    """Lower one limit; one that is lower already stays."""
    import resource  # noqa: PLC0415

    try:
        hard = resource.prlimit(pid, what)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.prlimit(pid, what, (least, least))
    except ProcessLookupError:  # it has ended already
        return
