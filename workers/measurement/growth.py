"""Memory over many calls after all timing: what a call keeps is seen here, however little it is."""

import gc
from collections.abc import Callable

from schemas.event import Growth
from workers.measurement.memory import list_process_tree, sum_sizes, trim_heap

# Memory is read at most so many times on the way. Reading it walks all pages, so it is read between many calls.
INTERVALS = 20


def measure_growth(call: Callable[[int], object], calls: int) -> Growth | None:
    """Run at most this many calls, and read the memory between them.

    None if the kernel does not count it, or if fewer than two calls are allowed, which show no growth.
    """
    intervals = min(INTERVALS, calls)
    found = [read_kept_bytes()]
    if intervals < 2 or not found[0]:
        return None
    each = calls // intervals
    for start in range(0, intervals * each, each):
        for number in range(start, start + each):
            call(number)
        found.append(read_kept_bytes())
    return Growth(calls=each, anonymous=tuple(found))


def read_kept_bytes() -> int:
    """Read the memory after garbage was collected and free memory returned, in which what is kept would hide."""
    gc.collect()
    trim_heap()
    return read_anonymous_bytes()


def read_anonymous_bytes() -> int:
    """Sum the memory of this process and its descendants that is of no file, also where it was swapped out.

    Resident memory as a whole would not do: the system takes pages of files away at any time.
    """
    sizes = sum_sizes(list_process_tree(), "smaps_rollup")
    return sizes["Anonymous"] + sizes["Swap"]
