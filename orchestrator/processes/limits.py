"""Limits of one job: set with the kernel where possible, otherwise checked once a second.

The kernel limits memory and open files by process, and processes by user, except root. A job with a cgroup also has
limits on memory and processes as a whole. This module always counts its processes and the size of its log from
outside: between two checks either may exceed its limit.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from orchestrator.processes.cgroup import TASKS_PER_PROCESS, JobCgroup
from orchestrator.processes.watchdog import write_kernel_file
from schemas.limits import Limits

MIB = 1 << 20
# Per mille of memory that the kernel adds to a job's size when it chooses which process to kill: the job goes first.
OOM_SCORE_ADJ = 500


class LimitReached(Exception):
    """A limit that a job has reached; the message names it."""


@dataclass(frozen=True, slots=True)
class JobLimits:
    """The limits of one job."""

    limits: Limits
    log: Path
    cgroup: JobCgroup

    def apply_limits(self, pid: int) -> None:
        """Set the limits of a process that has just started; its children inherit them."""
        if sys.platform != "linux":
            return
        import resource  # noqa: PLC0415 (`prlimit` is Linux's own)

        # A core dump holds all memory of a process, and writing it would disturb the next job.
        lower_limit(pid, resource.RLIMIT_CORE, 0)
        lower_limit(pid, resource.RLIMIT_NOFILE, self.limits.files)
        # Not RLIMIT_AS, which would refuse frameworks that only reserve addresses.
        if self.limits.memory is not None:
            lower_limit(pid, resource.RLIMIT_DATA, self.limits.memory)
        write_kernel_file(f"/proc/{pid}/oom_score_adj", str(OOM_SCORE_ADJ))
        self.cgroup.add_process(pid)  # last: it may take the kernel some milliseconds

    @property
    def memory(self) -> Literal["job", "process"] | None:
        """The scope of the memory limit, if there is one: the job as a whole, or each of its processes."""
        if self.limits.memory is None or sys.platform != "linux":
            return None
        return "job" if self.cgroup.limits_memory else "process"

    def check_limits(self) -> None:
        """Check the limits that the kernel or the log shows, which takes no time.

        Raises:
            LimitReached: the job has reached one.
        """
        usage = self.cgroup.read_usage()
        if usage.kills:
            raise LimitReached("the kernel killed one of its processes because memory ran out")
        if usage.refusals:
            allowed = TASKS_PER_PROCESS * self.limits.processes
            raise LimitReached(f"it tried to start more than the {allowed} processes and threads allowed at once")
        self.check_log()

    def check_processes(self, members: Sequence[psutil.Process]) -> None:
        """Check the number of processes.

        Raises:
            LimitReached: there are too many.
        """
        count = len(members)
        if count > self.limits.processes:
            raise LimitReached(f"it had {count} processes at once, more than the {self.limits.processes} allowed")

    def check_log(self) -> None:
        """Check the size of the log.

        Raises:
            LimitReached: it is too large.
        """
        if self.log.is_file() and self.log.stat().st_size > self.limits.log:
            raise LimitReached(f"it printed more than the {self.limits.log / MIB:g} MiB allowed")

    def truncate_log(self) -> None:
        """Cut a log that is too large, and keep its beginning."""
        if self.log.is_file() and self.log.stat().st_size > self.limits.log:
            os.truncate(self.log, self.limits.log)


def lower_limit(pid: int, kind: int, limit: int) -> None:
    """Lower one limit of a process; a lower one stays."""
    import resource  # noqa: PLC0415

    try:
        # Raising a hard limit takes privileges, so a stricter one of the user's must be kept.
        hard = resource.prlimit(pid, kind)[1]
        lower = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.prlimit(pid, kind, (lower, lower))
    except ProcessLookupError:  # it has ended already
        return
