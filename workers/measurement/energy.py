"""Energy in joules of the machine's packages (RAPL), where the kernel lets this process read it, or of its GPU (NVML).

Since Linux 5.10 only root may read RAPL's counters, and most virtual machines have none: then there is no figure. The
sensors of some GPUs sample only a quarter of the time (arXiv:2312.02741), so a short phase says little.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from schemas.event import Energy
from schemas.job import Device
from workers.measurement import nvml

POWERCAP = Path("/sys/class/powercap")
MICRO = 1e-6


def start_meter(
    device: Device = "cpu", clock: Callable[[], float] = time.perf_counter
) -> Callable[[int], Energy | None]:
    """Read the counters now, and return a function to call at the end with the number of calls made since."""
    read, source = (start_gpu_meter, "NVML, whole GPU") if device == "cuda" else (start_package_meter, "RAPL packages")
    spent, began = read(), clock()

    def read_energy(calls: int) -> Energy | None:
        joules, seconds = spent(), clock() - began
        return None if joules is None else Energy(joules=joules, seconds=seconds, calls=calls, source=source)

    return read_energy


def start_package_meter() -> Callable[[], float | None]:
    """Return a function that reads the joules used since now by all packages of the machine."""
    before = read_counters()

    def read_joules() -> float | None:
        after = read_counters()
        # A package that could be read only once would make the sum wrong; no figure is better.
        if not before or before.keys() != after.keys():
            return None
        return sum(subtract_wrapped(before[package], after[package], package) for package in before) * MICRO

    return read_joules


def start_gpu_meter() -> Callable[[], float | None]:
    """Return a function that reads the joules used since now by the GPU."""
    gpu = nvml.open_gpu()
    before = gpu.read_energy_j() if gpu else None

    def read_joules() -> float | None:
        after = gpu.read_energy_j() if gpu else None
        return None if before is None or after is None else after - before

    return read_joules


def read_counters() -> dict[Path, int]:
    """Read the energy counter of each package, in microjoules."""
    return {package: count for package in find_packages() if (count := read_number(package / "energy_uj")) is not None}


def find_packages() -> Iterator[Path]:
    """Yield the packages without their cores and memory, which are included in them or counted separately."""
    yield from sorted(path for path in POWERCAP.glob("intel-rapl:*") if path.name.count(":") == 1)


def subtract_wrapped(before: int, after: int, package: Path) -> int:
    """Return the increase of a counter that may have wrapped around once."""
    return after - before if after >= before else after - before + (read_number(package / "max_energy_range_uj") or 0)


def read_number(path: Path) -> int | None:
    """Read a number from a file; return None if there is none."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
