"""What disturbed a measurement, as the kernel counted it. Nothing is read inside a timed region.

The scheduler counts for each thread how long it was ready to run but waited for a core (`schedstat`, second field). A
sample during which that grew was disturbed, whatever its time. Contention for memory and caches shows in no such
counter; the canary, a product of small matrices between samples, may feel it.
"""

import dataclasses
import os
import resource
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from pathlib import Path

import numpy as np

from schemas.event import Noise
from workers.kernel import GROUPS, PROC, text

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
OPEN: dict[str, int] = {}
MOUNTS = ("", "unified", "cpu", "cpu,cpuacct")


@dataclass(frozen=True, slots=True)
class Counters:
    """All counters at one moment, in nanoseconds since some beginning."""

    run_delay_ns: int
    steal_ns: int
    pressure_ns: int
    cpu_ns: int


@dataclass
class Observer:
    """Called before the first sample and after each: keeps what the counters moved by during each sample.

    The CPU time is read nearest to the sample, so that reading the other counters does not show in it.
    """

    canary: Callable[[], int]
    _since: Counters | None = None
    _moved: list[Counters] = field(default_factory=list)
    _canaries: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._usage = resource.getrusage(resource.RUSAGE_SELF)
        self._throttled, self._migrations = throttled(), migrations()

    def __call__(self) -> None:
        """Close one sample, let the canary sing, open the next."""
        cpu_ns = time.process_time_ns()
        if self._since is not None:
            now, before = astuple(dataclasses.replace(read(), cpu_ns=cpu_ns)), astuple(self._since)
            self._moved.append(Counters(*(max(0, after - first) for after, first in zip(now, before, strict=True))))
            self._canaries.append(self.canary())
        self._since = dataclasses.replace(read(), cpu_ns=time.process_time_ns())

    def noise(self) -> Noise:
        """What was counted over all samples so far."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return Noise(
            run_delay_ns=tuple(moved.run_delay_ns for moved in self._moved),
            steal_ns=tuple(moved.steal_ns for moved in self._moved),
            pressure_ns=tuple(moved.pressure_ns for moved in self._moved),
            cpu_ns=tuple(moved.cpu_ns for moved in self._moved),
            canary_ns=tuple(self._canaries),
            involuntary_switches=usage.ru_nivcsw - self._usage.ru_nivcsw,
            major_faults=usage.ru_majflt - self._usage.ru_majflt,
            migrations=difference(self._migrations, migrations()),
            throttled=difference(self._throttled, throttled()),
            threads=max(1, len(tasks())),
        )


def read() -> Counters:
    """The counters now; zero where the system has none."""
    return Counters(run_delay_ns=run_delay_ns(), steal_ns=steal_ns(), pressure_ns=pressure_ns(), cpu_ns=0)


def watch(cores: int) -> Callable[[], Callable[[int], int]]:
    """A watch over single samples: how much of each its threads waited for cores that others had, in nanoseconds.

    Threads of this process that wait for each other keep its cores busy, and lose nothing.
    """

    def begin() -> Callable[[int], int]:
        waited, used = run_delay_ns(), time.process_time_ns()

        def lost_ns(took_ns: int) -> int:
            own = time.process_time_ns() - used
            return min(run_delay_ns() - waited, max(0, cores * took_ns - own))

        return lost_ns

    return begin


def run_delay_ns() -> int:
    """How long all threads of this process together have waited for a core."""
    fields = (now(f"{PROC}/self/task/{task}/schedstat").split() for task in tasks())
    return sum(int(each[1]) for each in fields if len(each) > 1)


def tasks() -> list[str]:
    """The numbers of this process's threads."""
    try:
        return os.listdir(f"{PROC}/self/task")  # noqa: PTH208 (between samples, paths are dear)
    except OSError:
        return []


def now(path: str) -> bytes:
    """The beginning of a file of the kernel's as it is now; empty if it is not there.

    It stays open for the next time: between samples every instruction takes caches from the step.
    """
    try:
        if path not in OPEN:
            OPEN[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return os.pread(OPEN[path], 512, 0)
    except OSError:  # a thread that has ended
        if path in OPEN:
            os.close(OPEN.pop(path))
        return b""


def steal_ns() -> int:
    """How long the hypervisor ran somebody else on a core of this machine that had work."""
    fields = now(f"{PROC}/stat").partition(b"\n")[0].split()
    return int(fields[8]) * TICK_NS if len(fields) > 8 else 0


def pressure_ns() -> int:
    """How long some task of this machine has waited for a core."""
    first = now(f"{PROC}/pressure/cpu").partition(b"\n")[0]
    return int(first.rpartition(b"total=")[2] or 0) * 1000


def throttled() -> int | None:
    """How often a control group's quota has stopped this process; None where no quota is counted."""
    counts = [
        int(line.split()[1])
        for path in own_groups()
        for line in text(path / "cpu.stat").splitlines()
        if line.startswith("nr_throttled ")
    ]
    return sum(counts) if counts else None


def own_groups() -> set[Path]:
    """The folders of this process's control groups and of all groups around them: each may have a quota."""
    found = set()
    for line in text(PROC / "self/cgroup").splitlines():
        own = line.split(":", 2)[-1].strip("/")
        for mount in MOUNTS:
            below = GROUPS / mount / own
            found |= {below, *below.parents} - set(GROUPS.parents)
    return found


def migrations() -> int | None:
    """How often the main thread has moved to another core; None where the kernel does not say."""
    for line in text(PROC / "self/sched").splitlines():
        if line.startswith("se.nr_migrations"):
            return int(line.rpartition(":")[2])
    return None


def difference(before: int | None, after: int | None) -> int | None:
    """How far a counter moved; None where there is none."""
    return None if before is None or after is None else after - before


def canary(clock: Callable[[], int] = time.perf_counter_ns) -> Callable[[], int]:
    """A fixed product of two 96 x 96 matrices in NumPy; each call gives the faster of two, in nanoseconds."""
    left, right = np.full((96, 96), 0.5, np.float32), np.full((96, 96), 2.0, np.float32)
    result = np.empty((96, 96), np.float32)

    def once() -> int:
        start = clock()
        np.matmul(left, right, out=result)
        return clock() - start

    return lambda: min(once(), once())
