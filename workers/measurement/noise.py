"""Disturbances of a measurement, as counted by the kernel. Nothing is read inside a timed region.

The scheduler counts how long each thread was ready to run but waited for a core (`schedstat`, second field). A sample
during which that grew was disturbed, whatever its time. Contention for memory and caches shows in no such counter. The
canary, a product of small matrices between samples, may detect it.
"""

import os
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path

import numpy as np

from schemas.event import Noise
from workers.measurement.kernel_files import CGROUPS, PROC, read_small_file

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

# Kernel files that stay open between samples, by path.
OPEN_FILES: dict[str, int] = {}

# The cgroup hierarchies that may limit the CPU: that of version 2, then those of version 1.
CGROUP_MOUNTS = ("", "unified", "cpu", "cpu,cpuacct")


@dataclass(frozen=True, slots=True)
class Counters:
    """All counters at one moment, in nanoseconds since an arbitrary start."""

    run_delay_ns: int
    steal_ns: int
    pressure_ns: int


@dataclass
class Observer:
    """Callback for before the first burst of samples and after each, which keeps the change of the counters in each.

    `meanwhile` is done between two bursts, and is charged to none.
    """

    canary: Callable[[], int]
    meanwhile: Callable[[], None] = lambda: None
    _since: Counters | None = None
    _moved: list[Counters] = field(default_factory=list)
    _canaries: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._usage = resource.getrusage(resource.RUSAGE_SELF)
        self._throttled, self._migrations = count_throttled(), count_migrations()

    def __call__(self) -> None:
        """Close one burst, run the canary and what is to be done meanwhile, open the next burst."""
        if self._since is not None:
            now, before = astuple(read_counters()), astuple(self._since)
            self._moved.append(Counters(*(max(0, after - first) for after, first in zip(now, before, strict=True))))
            self._canaries.append(self.canary())
        self.meanwhile()
        # Read again: neither the canary nor the first reading may be charged to the next burst.
        self._since = read_counters()

    def collect_noise(self, cpu_ns: Sequence[int], burst: int = 1) -> Noise:
        """Return the counts of all bursts so far, with the CPU time of each sample."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return Noise(
            run_delay_ns=tuple(moved.run_delay_ns for moved in self._moved),
            steal_ns=tuple(moved.steal_ns for moved in self._moved),
            pressure_ns=tuple(moved.pressure_ns for moved in self._moved),
            cpu_ns=tuple(cpu_ns),
            burst=burst,
            canary_ns=tuple(self._canaries),
            involuntary_switches=usage.ru_nivcsw - self._usage.ru_nivcsw,
            major_faults=usage.ru_majflt - self._usage.ru_majflt,
            migrations=subtract_counts(self._migrations, count_migrations()),
            throttled=subtract_counts(self._throttled, count_throttled()),
            threads=max(1, len(list_threads())),
        )


def read_counters() -> Counters:
    """Read the counters; those that the system lacks are zero."""
    return Counters(run_delay_ns=read_run_delay_ns(), steal_ns=read_steal_ns(), pressure_ns=read_pressure_ns())


def make_sample_watch(cores: int) -> Callable[[], Callable[[int, int], int]]:
    """Return a watch over samples, which tells how long their threads waited for cores taken by others.

    After the samples, the watch takes the wall and the CPU time of one of them, and returns nanoseconds. Threads of
    this process that wait for each other keep its cores busy, and lose nothing.
    """

    def begin_samples() -> Callable[[int, int], int]:
        waited = read_run_delay_ns()
        return lambda took_ns, cpu_ns: min(read_run_delay_ns() - waited, max(0, cores * took_ns - cpu_ns))

    return begin_samples


def read_run_delay_ns() -> int:
    """Return the time that all threads of this process together have waited for a core."""
    fields = (read_kernel_file(f"{PROC}/self/task/{task}/schedstat").split() for task in list_threads())
    return sum(int(each[1]) for each in fields if len(each) > 1)


def list_threads() -> list[str]:
    """List the numbers of this process's threads."""
    try:
        return os.listdir(f"{PROC}/self/task")  # noqa: PTH208 (between samples, Path objects cost too much)
    except OSError:
        return []


def read_kernel_file(path: str) -> bytes:
    """Read the beginning of a kernel file; return nothing if it does not exist.

    The file stays open for the next reading: between samples every instruction takes caches from the step.
    """
    try:
        if path not in OPEN_FILES:
            OPEN_FILES[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        # Reading from the start of an open file makes the kernel produce its content anew.
        return os.pread(OPEN_FILES[path], 512, 0)
    except OSError:  # a thread that has ended
        if path in OPEN_FILES:
            os.close(OPEN_FILES.pop(path))
        return b""


def read_steal_ns() -> int:
    """Return the time for which the hypervisor withheld from this machine a core that had work."""
    fields = read_kernel_file(f"{PROC}/stat").partition(b"\n")[0].split()
    return int(fields[8]) * TICK_NS if len(fields) > 8 else 0  # old kernels count no stolen time


def read_pressure_ns() -> int:
    """Return the time during which some task of this machine waited for a core."""
    first = read_kernel_file(f"{PROC}/pressure/cpu").partition(b"\n")[0]
    return int(first.rpartition(b"total=")[2] or 0) * 1000


def count_throttled() -> int | None:
    """Count the times that a cgroup's quota has stopped this process; return None where no quota is counted."""
    counts = [
        int(line.split()[1])
        for path in find_own_cgroups()
        for line in read_small_file(path / "cpu.stat").splitlines()
        if line.startswith("nr_throttled ")
    ]
    return sum(counts) if counts else None


def find_own_cgroups() -> set[Path]:
    """Return the folders of this process's cgroups and of all their parents: each may have a quota."""
    found = set()
    for line in read_small_file(PROC / "self/cgroup").splitlines():
        own = line.split(":", 2)[-1].strip("/")
        for mount in CGROUP_MOUNTS:
            below = CGROUPS / mount / own
            found |= {below, *below.parents} - set(CGROUPS.parents)
    return found


def count_migrations() -> int | None:
    """Count the main thread's moves to another core; return None where the kernel does not report them."""
    for line in read_small_file(PROC / "self/sched").splitlines():
        if line.startswith("se.nr_migrations"):
            return int(line.rpartition(":")[2])
    return None


def subtract_counts(before: int | None, after: int | None) -> int | None:
    """Return the change of a counter; None if it does not exist."""
    return None if before is None or after is None else after - before


def make_canary(clock: Callable[[], int] = time.perf_counter_ns) -> Callable[[], int]:
    """Return a function that times a fixed product of 96 x 96 matrices twice, and returns the faster in nanoseconds."""
    left, right = np.full((96, 96), 0.5, np.float32), np.full((96, 96), 2.0, np.float32)
    # Allocated once: an allocation in the product would time the allocator as well.
    result = np.empty((96, 96), np.float32)

    def time_product() -> int:
        start = clock()
        np.matmul(left, right, out=result)
        return clock() - start

    return lambda: min(time_product(), time_product())
