"""Memory over many calls after all timing: what a call keeps is seen here, however little it is."""

import gc
from collections.abc import Callable

from schemas.event import Growth
from workers.measurement.memory import list_process_tree, sum_sizes

# Memory is read so many times on the way. Reading it walks all pages, so it is read between many calls.
INTERVALS = 20


def measure_growth(call: Callable[[int], object], calls: int) -> Growth | None:
    """Run about this many calls, and read the memory between them; None where the kernel does not count it."""
    each = max(1, calls // INTERVALS)
    found = [read_anonymous_bytes()]
    if not found[0]:
        return None
    for start in range(0, INTERVALS * each, each):
        for number in range(start, start + each):
            call(number)
        # What only the collector frees is not kept.
        gc.collect()
        found.append(read_anonymous_bytes())
    return Growth(calls=each, anonymous=tuple(found))


def read_anonymous_bytes() -> int:
    """Sum the memory of this process and its descendants that is of no file, also where it was swapped out.

    Resident memory as a whole would not do: the system takes pages of files away at any time.
    """
    sizes = sum_sizes(list_process_tree(), "smaps_rollup")
    return sizes["Anonymous"] + sizes["Swap"]
