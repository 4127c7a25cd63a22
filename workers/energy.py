"""What the machine's packages used, in joules, where the kernel lets this process read it (RAPL).

Only root may read these counters since Linux 5.10, and most virtual machines have none: then there is no figure.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from schemas.event import Energy

POWERCAP = Path("/sys/class/powercap")
MICRO = 1e-6


def meter(clock: Callable[[], float] = time.perf_counter) -> Callable[[int], Energy | None]:
    """Read the counters now. What is returned is called at the end, with the number of calls made since."""
    before, began = counters(), clock()

    def used(calls: int) -> Energy | None:
        after, seconds = counters(), clock() - began
        if not before or before.keys() != after.keys():
            return None
        spans = (since(before[package], after[package], package) for package in before)
        return Energy(joules=sum(spans) * MICRO, seconds=seconds, calls=calls, source="RAPL packages")

    return used


def counters() -> dict[Path, int]:
    """The energy counter of each package, in microjoules."""
    return {package: count for package in packages() if (count := number(package / "energy_uj")) is not None}


def packages() -> Iterator[Path]:
    """The packages; their cores and memory are parts of them, or are counted apart."""
    yield from sorted(path for path in POWERCAP.glob("intel-rapl:*") if path.name.count(":") == 1)


def since(before: int, after: int, package: Path) -> int:
    """How far a counter moved that may have come round once."""
    return after - before if after >= before else after - before + (number(package / "max_energy_range_uj") or 0)


def number(path: Path) -> int | None:
    """A number in a file; None if there is none to be read."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
