"""The cores that this process may use, and those that it leaves to workers."""

import contextlib
import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

import psutil

from orchestrator.machine.kernel_files import CPU_FOLDER, KernelFiles


def list_cores() -> tuple[int, ...]:
    """Return the numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(psutil.cpu_count() or 1))


@contextmanager
def avoid_cores(theirs: Collection[int]) -> Iterator[None]:
    """Keep this process off the workers' cores while entered, and off their siblings, unless no core would be left."""
    before = set(list_cores())
    ours = choose_own_cores(before, theirs)
    if not ours or not hasattr(os, "sched_setaffinity"):
        yield
        return
    # A redraw of the dashboard on a worker's core would show as a disturbed sample.
    os.sched_setaffinity(0, ours)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def choose_own_cores(among: Collection[int], theirs: Collection[int]) -> set[int]:
    """Return those of these cores that are neither the workers' nor their siblings; empty if none would be left."""
    siblings = list_siblings(KernelFiles(), theirs)
    return {*among}.difference(*siblings.values()) or {*among}.difference(theirs)


def move_threads(among: Collection[int], theirs: Collection[int]) -> None:
    """Move every thread of this process to those of these cores that workers leave, unless they leave none."""
    ours = choose_own_cores(among, theirs)
    if not ours or not hasattr(os, "sched_setaffinity"):
        return
    for thread in KernelFiles().list_names("proc/self/task/*"):
        with contextlib.suppress(OSError):  # it has ended
            os.sched_setaffinity(int(thread.rpartition("/")[2]), ours)


def list_siblings(files: KernelFiles, cores: Iterable[int]) -> dict[int, frozenset[int]]:
    """Return for each core the hardware threads of its physical core, itself included."""
    said = {core: files.read_text(f"{CPU_FOLDER}/cpu{core}/topology/thread_siblings_list") for core in cores}
    return {core: frozenset({core, *parse_ranges(text or "")}) for core, text in said.items()}


def read_affinity(files: KernelFiles) -> tuple[int, ...] | None:
    """Return the cores that the kernel lets this process use: `0-2,5` is 0, 1, 2 and 5."""
    said = files.read_table("proc/self/status").get("Cpus_allowed_list", "")
    return parse_ranges(said) or None


def parse_ranges(text: str) -> tuple[int, ...]:
    """Parse the numbers in a list of the kernel, such as `0-2,5`."""
    ranges = re.findall(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", text)
    return tuple(sorted({number for low, high in ranges for number in range(int(low), int(high or low) + 1)}))
