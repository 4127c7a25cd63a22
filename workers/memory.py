"""The only reader of memory counters: the kernel's, for this process and all its descendants. All are in bytes.

The high-water mark of resident memory (VmHWM) is right for the shortest peak, and writing 5 to clear_refs resets it to
what is resident now. `ru_maxrss` is useless: after exec it still holds the mark of the process that forked.
"""

import ctypes
import gc
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator

from schemas.event import Memory, PhaseMemory, StepMemory
from workers.kernel import GROUPS, PROC, text

STEPS = 4

# Reading smaps_rollup is slow: it is skipped unless resident memory has changed by more than this share.
MOVED = 0.05

# Variables that change how much free memory an allocator keeps.
ALLOCATOR = ("LD_PRELOAD", "MALLOC_ARENA_MAX", "MALLOC_CONF", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


class Marks:
    """High-water marks of this process and its descendants, from construction on."""

    def __init__(self) -> None:
        self._highest = 0
        self.start = self._set_back()

    def renew(self) -> int:
        """Keep the highest mark so far, reset the kernel's, and return what is resident now."""
        self._highest = max(self._highest, peak())
        return self._set_back()

    def read(self, read_at: int = 0) -> PhaseMemory | None:
        """Read the memory reached from the start until now; return None where the kernel does not count it."""
        return reading(self.start, max(self._highest, peak()), read_at) if self.start else None

    def _set_back(self) -> int:
        for pid in family():
            try:
                (PROC / str(pid) / "clear_refs").write_text("5")
            except OSError:  # the process has ended, or this kernel has no such file
                continue
        return resident()


def since_birth() -> PhaseMemory | None:
    """Read the memory that this process has reached since it began."""
    highest = peak()
    return reading(0, highest, 0) if highest else None


def reading(start: int, highest: int, read_at: int) -> PhaseMemory:
    """Read the counters after a phase that began at `start` and reached `highest`.

    `read_at` is the resident memory when the proportional and the unshared part were last read.
    """
    pids, end = family(), resident()
    pss = uss = None
    if abs(end - read_at) > MOVED * end:
        parts = totals(pids, "smaps_rollup")
        pss, uss = parts["Pss"], parts["Private_Clean"] + parts["Private_Dirty"] + parts["Private_Hugetlb"]
    return PhaseMemory(start=start, peak=highest, end=end, pss=pss, uss=uss, processes=len(pids))


def steps(call: Callable[[int], object], marks: Marks) -> Memory | None:
    """Run the memory pass: a few calls, each on another set of inputs and with a new high-water mark.

    The first call is not kept: it may be the first since the C library returned its free memory.
    """
    if not marks.start:
        return None
    gc.collect()
    found, trimmed = [], False
    for number in range(STEPS):
        trimmed = trim()
        start = marks.renew()
        outputs = call(number)
        found.append((start, max(start, peak())))
        del outputs  # they would count as memory of the next call
    kept = tuple(StepMemory(start=start, peak=highest) for start, highest in found[1:])
    set_here = {name: os.environ[name] for name in ALLOCATOR if name in os.environ}
    return Memory(steps=kept, trimmed=trimmed, group_peak=group_peak(), allocator=set_here)


def trim() -> bool:
    """Make the C library return its free memory; return False if it has no such function."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except AttributeError:
        return False
    return True


def peak() -> int:
    """Sum the high-water marks of all these processes: at least what was ever resident in all of them at once."""
    return totals(family(), "status")["VmHWM"]


def resident() -> int:
    """Sum the resident memory of this process and its descendants."""
    return totals(family(), "status")["VmRSS"]


def family() -> tuple[int, ...]:
    """Return this process and all its descendants."""
    return (os.getpid(), *descendants(os.getpid()))


def descendants(pid: int) -> Iterator[int]:
    """Yield all descendants of a process."""
    try:
        tasks = list((PROC / str(pid) / "task").iterdir())
    except OSError:
        return
    for task in tasks:
        for child in map(int, text(task / "children").split()):
            yield child
            yield from descendants(child)


def totals(pids: tuple[int, ...], file: str) -> Counter[str]:
    """Sum all sizes in a file of these processes, by name; a process that has ended adds nothing."""
    found: Counter[str] = Counter()
    for pid in pids:
        for line in text(PROC / str(pid) / file).splitlines():
            name, *size = line.replace(":", " ").split()
            if size[1:] == ["kB"]:  # the kernel's kB has 1024 bytes
                found[name] += 1024 * int(size[0])
    return found


def group_peak() -> int | None:
    """Read the high-water mark of this process's cgroup; return None if it is shared or does not exist."""
    own = next((line[3:] for line in text(PROC / "self/cgroup").splitlines() if line.startswith("0::")), "")
    group = GROUPS / own.strip("/")
    inside = {int(pid) for pid in text(group / "cgroup.procs").split()}
    marked = text(group / "memory.peak").strip()
    return int(marked) if marked.isdigit() and inside and inside <= set(family()) else None


def age_ns() -> int | None:
    """Return the age of this process, to a hundredth of a second; None where the kernel does not report it."""
    # The command in parentheses may contain spaces; the start is the 20th field after it (proc_pid_stat(5)).
    fields = text(PROC / "self/stat").rpartition(")")[2].split()
    if len(fields) < 20:
        return None
    began_ns = int(fields[19]) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return max(0, time.clock_gettime_ns(time.CLOCK_BOOTTIME) - began_ns)
