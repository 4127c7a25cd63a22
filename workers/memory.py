"""The only reader of memory counters: the kernel's own, of this process and all its descendants. All in bytes.

The high-water mark of resident memory (VmHWM) is right however short a peak was, and writing 5 to clear_refs sets it
back to what is resident now. `ru_maxrss` is of no use: after exec it still holds the mark of the process that forked.
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
MOVED = 0.05
ALLOCATOR = ("LD_PRELOAD", "MALLOC_ARENA_MAX", "MALLOC_CONF", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


class Marks:
    """High-water marks of the whole family, from now on."""

    def __init__(self) -> None:
        self._highest = 0
        self.start = self._set_back()

    def renew(self) -> int:
        """Keep the highest mark so far, set the kernel's back, and say what is resident now."""
        self._highest = max(self._highest, peak())
        return self._set_back()

    def read(self, read_at: int = 0) -> PhaseMemory | None:
        """What was reached from the start until now; None where the kernel does not count."""
        return reading(self.start, max(self._highest, peak()), read_at) if self.start else None

    def _set_back(self) -> int:
        for pid in family():
            try:
                (PROC / str(pid) / "clear_refs").write_text("5")
            except OSError:  # it has ended, or this kernel has no such file
                continue
        return resident()


def since_birth() -> PhaseMemory | None:
    """What this process reached since it began."""
    highest = peak()
    return reading(0, highest, 0) if highest else None


def reading(start: int, highest: int, read_at: int) -> PhaseMemory:
    """The counters now, after a phase that began at `start` and reached `highest`.

    `read_at` is what was resident when the proportional and the unshared part were last read.
    """
    pids, end = family(), resident()
    pss = uss = None
    if abs(end - read_at) > MOVED * end:
        parts = totals(pids, "smaps_rollup")
        pss, uss = parts["Pss"], parts["Private_Clean"] + parts["Private_Dirty"] + parts["Private_Hugetlb"]
    return PhaseMemory(start=start, peak=highest, end=end, pss=pss, uss=uss, processes=len(pids))


def steps(call: Callable[[int], object], marks: Marks) -> Memory | None:
    """The memory pass: a few calls, each on its own set of inputs and with its own high-water mark.

    The first of them is not kept: it may be the first since the C library gave back what it held free.
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
        del outputs
    kept = tuple(StepMemory(start=start, peak=highest) for start, highest in found[1:])
    set_here = {name: os.environ[name] for name in ALLOCATOR if name in os.environ}
    return Memory(steps=kept, trimmed=trimmed, group_peak=group_peak(), allocator=set_here)


def trim() -> bool:
    """Have the C library give back what it holds free; False if it does not know how."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except AttributeError:
        return False
    return True


def peak() -> int:
    """The sum of the family's high-water marks: no less than what was ever resident in all of them at once."""
    return totals(family(), "status")["VmHWM"]


def resident() -> int:
    """What is resident in the whole family."""
    return totals(family(), "status")["VmRSS"]


def family() -> tuple[int, ...]:
    """This process and all its descendants."""
    return (os.getpid(), *descendants(os.getpid()))


def descendants(pid: int) -> Iterator[int]:
    """All processes below one."""
    try:
        tasks = list((PROC / str(pid) / "task").iterdir())
    except OSError:
        return
    for task in tasks:
        for child in map(int, text(task / "children").split()):
            yield child
            yield from descendants(child)


def totals(pids: tuple[int, ...], file: str) -> Counter[str]:
    """The sums of all sizes in a file of these processes, by name; one that has ended adds nothing."""
    found: Counter[str] = Counter()
    for pid in pids:
        for line in text(PROC / str(pid) / file).splitlines():
            name, *size = line.replace(":", " ").split()
            if size[1:] == ["kB"]:
                found[name] += 1024 * int(size[0])
    return found


def group_peak() -> int | None:
    """The high-water mark of this process's control group; None where it shares the group, or there is none."""
    own = next((line[3:] for line in text(PROC / "self/cgroup").splitlines() if line.startswith("0::")), "")
    group = GROUPS / own.strip("/")
    inside = {int(pid) for pid in text(group / "cgroup.procs").split()}
    marked = text(group / "memory.peak").strip()
    return int(marked) if marked.isdigit() and inside and inside <= set(family()) else None


def age_ns() -> int | None:
    """How long ago this process began, to a hundredth of a second; None where the kernel does not say."""
    fields = text(PROC / "self/stat").rpartition(")")[2].split()
    if len(fields) < 20:
        return None
    began_ns = int(fields[19]) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return max(0, time.clock_gettime_ns(time.CLOCK_BOOTTIME) - began_ns)
