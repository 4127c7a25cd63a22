"""The cores that this process may use, and those that it leaves to workers."""

import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import psutil

from orchestrator.machine.kernel_files import KernelFiles


def list_cores() -> tuple[int, ...]:
    """Return the numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(psutil.cpu_count() or 1))


@contextmanager
def avoid_cores(theirs: Collection[int]) -> Iterator[None]:
    """Keep this process off the workers' cores while entered, unless no core would be left."""
    before = set(list_cores())
    ours = before.difference(theirs)
    if not ours or not hasattr(os, "sched_setaffinity"):
        yield
        return
    # A redraw of the dashboard on a worker's core would show as a disturbed sample.
    os.sched_setaffinity(0, ours)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def read_affinity(files: KernelFiles) -> tuple[int, ...] | None:
    """Return the cores that the kernel lets this process use: `0-2,5` is 0, 1, 2 and 5."""
    said = files.read_table("proc/self/status").get("Cpus_allowed_list", "")
    ranges = re.findall(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", said)
    numbers = {number for low, high in ranges for number in range(int(low), int(high or low) + 1)}
    return tuple(sorted(numbers)) or None
