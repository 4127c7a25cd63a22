"""What one job may use up, set with the kernel where it can be, and looked at once a second where not.

The kernel bounds memory and open files by process, and processes by user, root excepted; where the job has a control
group of its own, also memory and processes of the job as a whole. The number of its processes is counted from outside
all the same, as is the size of its log: between two looks either may go too far.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from orchestrator.groups import TASKS_EACH, Leaf
from orchestrator.watchdog import write
from schemas.limits import Limits

MIB = 1 << 20
FIRST_TO_GO = 500
"""Of a thousand: how much larger a job looks to the kernel, when it must choose whom to end for want of memory."""


class LimitReached(Exception):
    """A job has used up what it may; the message says what."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """One job's limits."""

    limits: Limits
    log: Path
    group: Leaf

    def impose(self, pid: int) -> None:
        """Set the limits of a process that has just been started; what it starts inherits them."""
        if sys.platform != "linux":
            return
        import resource  # noqa: PLC0415 (`prlimit` is Linux's own)

        lower(pid, resource.RLIMIT_CORE, 0)
        lower(pid, resource.RLIMIT_NOFILE, self.limits.files)
        if self.limits.memory is not None:
            lower(pid, resource.RLIMIT_DATA, self.limits.memory)
        write(f"/proc/{pid}/oom_score_adj", str(FIRST_TO_GO))
        self.group.enter(pid)  # last: it may take the kernel some milliseconds

    @property
    def memory(self) -> Literal["job", "process"] | None:
        """What the limit of memory holds for, if there is one: the job as a whole, or each of its processes."""
        if self.limits.memory is None or sys.platform != "linux":
            return None
        return "job" if self.group.bounds_memory else "process"

    def look(self) -> None:
        """See whether the job has met a limit that the kernel or its log shows, which takes no time.

        Raises:
            LimitReached: it has.
        """
        seen = self.group.seen()
        if seen.kills:
            raise LimitReached("the kernel ended one of its processes for want of memory")
        if seen.refusals:
            most = TASKS_EACH * self.limits.processes
            raise LimitReached(f"it wanted more than the {most} processes and threads allowed at once")
        self.look_at_log()

    def count(self, members: Sequence[psutil.Process]) -> None:
        """See whether these are not too many processes.

        Raises:
            LimitReached: they are.
        """
        count = len(members)
        if count > self.limits.processes:
            raise LimitReached(f"it had {count} processes at once, more than the {self.limits.processes} allowed")

    def look_at_log(self) -> None:
        """See whether the log has become too long; if so, cut it.

        Raises:
            LimitReached: it was.
        """
        if self.log.is_file() and self.log.stat().st_size > self.limits.log:
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
