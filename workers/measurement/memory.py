"""The only reader of memory counters: the kernel's, for this process and all its descendants. All are in bytes.

The high-water mark of resident memory (VmHWM) is right for the shortest peak, and writing 5 to clear_refs resets it to
what is resident now. `ru_maxrss` is useless: after exec it still holds the mark of the process that forked.
"""

import ctypes
import gc
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from schemas.event import Memory, PhaseMemory, StepMemory
from workers.measurement.kernel_files import CGROUPS, PROC, read_small_file

STEPS = 4

# Reading smaps_rollup is slow: it is skipped unless resident memory has changed by more than this share.
REREAD_SHARE = 0.05

# Variables that change how much free memory an allocator keeps.
ALLOCATOR_VARIABLES = (
    "LD_PRELOAD",
    "GLIBC_TUNABLES",
    "THP_MEM_ALLOC_ENABLE",
    "MALLOC_ARENA_MAX",
    "MALLOC_CONF",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_MMAP_THRESHOLD_",
)

# Functions by which an allocator returns its free memory, each with the arguments of its calls: jemalloc's, tcmalloc's
# and the C library's. A preloaded allocator comes first, since the C library's function is always there.
RELEASES: Mapping[str, Sequence[tuple[object, ...]]] = {
    "mallctl": ((b"thread.tcache.flush", None, None, None, 0), (b"arena.4096.purge", None, None, None, 0)),
    "MallocExtension_ReleaseFreeMemory": ((),),
    "malloc_trim": ((0,),),
}


class HighWaterMarks:
    """High-water marks of this process and its descendants, from construction on.

    If `is_counted` is False there are none, as where the kernel does not count them.
    """

    def __init__(self, *, is_counted: bool = True) -> None:
        self._highest = 0
        self.start = self._reset_marks() if is_counted else 0

    def renew_marks(self) -> int:
        """Keep the highest mark so far, reset the kernel's, and return what is resident now."""
        self._highest = max(self._highest, read_peak_bytes())
        return self._reset_marks()

    def read(self, read_at: int = 0) -> PhaseMemory | None:
        """Read the memory reached from the start until now; return None where the kernel does not count it."""
        return read_phase_memory(self.start, max(self._highest, read_peak_bytes()), read_at) if self.start else None

    def _reset_marks(self) -> int:
        for pid in list_process_tree():
            try:
                (PROC / str(pid) / "clear_refs").write_text("5")
            except OSError:  # the process has ended, or this kernel has no such file
                continue
        return read_resident_bytes()


def read_since_start() -> PhaseMemory | None:
    """Read the memory that this process has reached since it began."""
    highest = read_peak_bytes()
    return read_phase_memory(0, highest, 0) if highest else None


def read_phase_memory(start: int, highest: int, read_at: int) -> PhaseMemory:
    """Read the counters after a phase that began at `start` and reached `highest`.

    `read_at` is the resident memory when the proportional and the unshared part were last read.
    """
    pids, end = list_process_tree(), read_resident_bytes()
    pss = uss = None
    if abs(end - read_at) > REREAD_SHARE * end:
        parts = sum_sizes(pids, "smaps_rollup")
        pss, uss = parts["Pss"], parts["Private_Clean"] + parts["Private_Dirty"] + parts["Private_Hugetlb"]
    return PhaseMemory(start=start, peak=highest, end=end, pss=pss, uss=uss, processes=len(pids))


def measure_steps(call: Callable[[int], object], marks: HighWaterMarks) -> Memory | None:
    """Run the memory pass: a few calls, each on another set of inputs and with a new high-water mark.

    The first call is not kept: it may be the first since the C library returned its free memory.
    """
    if not marks.start:
        return None
    gc.collect()
    found, trimmed = [], False
    for number in range(STEPS):
        # Free memory kept by the allocator would be reused, and the call would seem to need less.
        trimmed = trim_heap()
        start = marks.renew_marks()
        outputs = call(number)
        found.append((start, max(start, read_peak_bytes())))
        del outputs  # they would count as memory of the next call
    kept = tuple(StepMemory(start=start, peak=highest) for start, highest in found[1:])
    set_here = {name: os.environ[name] for name in ALLOCATOR_VARIABLES if name in os.environ}
    return Memory(steps=kept, trimmed=trimmed, group_peak=read_cgroup_peak(), allocator=set_here)


def trim_heap() -> bool:
    """Make the allocator return its free memory; return False if it has no function that does."""
    loaded = ctypes.CDLL(None)
    name = next((name for name in RELEASES if hasattr(loaded, name)), "")
    for arguments in RELEASES.get(name, ()):
        getattr(loaded, name)(*arguments)
    return bool(name)


def read_peak_bytes() -> int:
    """Sum the high-water marks of all these processes: at least what was ever resident in all of them at once."""
    return sum_sizes(list_process_tree(), "status")["VmHWM"]


def read_resident_bytes() -> int:
    """Sum the resident memory of this process and its descendants."""
    return sum_sizes(list_process_tree(), "status")["VmRSS"]


def list_process_tree() -> tuple[int, ...]:
    """Return this process and all its descendants."""
    return (os.getpid(), *walk_descendants(os.getpid()))


def walk_descendants(pid: int) -> Iterator[int]:
    """Yield all descendants of a process."""
    try:
        tasks = list((PROC / str(pid) / "task").iterdir())
    except OSError:
        return
    for task in tasks:
        for child in map(int, read_small_file(task / "children").split()):
            yield child
            yield from walk_descendants(child)


def sum_sizes(pids: tuple[int, ...], file: str) -> Counter[str]:
    """Sum all sizes in a file of these processes, by name; a process that has ended adds nothing."""
    found: Counter[str] = Counter()
    for pid in pids:
        for line in read_small_file(PROC / str(pid) / file).splitlines():
            name, *size = line.replace(":", " ").split()
            if size[1:] == ["kB"]:  # the kernel's kB has 1024 bytes
                found[name] += 1024 * int(size[0])
    return found


def read_cgroup_peak() -> int | None:
    """Read the high-water mark of this process's cgroup; return None if it is shared or does not exist."""
    own = next((line[3:] for line in read_small_file(PROC / "self/cgroup").splitlines() if line.startswith("0::")), "")
    group = CGROUPS / own.strip("/")
    inside = {int(pid) for pid in read_small_file(group / "cgroup.procs").split()}
    marked = read_small_file(group / "memory.peak").strip()
    return int(marked) if marked.isdigit() and inside and inside <= set(list_process_tree()) else None


def read_age_ns() -> int | None:
    """Return the age of this process, to a hundredth of a second; None where the kernel does not report it."""
    # The command in parentheses may contain spaces; the start is the 20th field after it (proc_pid_stat(5)).
    fields = read_small_file(PROC / "self/stat").rpartition(")")[2].split()
    if len(fields) < 20:
        return None
    began_ns = int(fields[19]) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    # The kernel counts a process's start from boot, suspended time included, as this clock does.
    return max(0, time.clock_gettime_ns(time.CLOCK_BOOTTIME) - began_ns)
