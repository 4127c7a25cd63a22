"""Settings of a job's process: made before the worker started, or on its cores, and read again at the end.

Whatever a model's code changes meanwhile shows in the last reading.
"""

import ctypes
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from schemas.event import Setting
from schemas.job import JobSpec
from schemas.tuning import TUNINGS, Tuning

AT_THE_END = "after the last sample"
CORES = "cores"
SHARED_CORES = "cores for requests at once"

# Code may choose these for its own calls, whatever they were at first.
FREE = frozenset({"gradients"})

# Of prctl(2): whether this process gets no huge pages.
GET_THP_DISABLE = 42

# A thread that only returns free memory. Its library stops it for a fork and starts another in the child, which then
# has the cores of the template.
HARMLESS_THREADS = frozenset({"jemalloc_bg_thd"})


@dataclass(frozen=True, slots=True)
class SettingsLog:
    """Every reading of a setting that differs from the one before, and a sentence for each change unasked for."""

    settings: list[Setting] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _latest: dict[str, str] = field(default_factory=dict)

    def add_readings(self, again: Iterable[Setting], when: str = "") -> None:
        """Add settings that were read now: new ones, and those that have changed, under their name and `when`."""
        for each in again:
            if each.name in FREE and each.name in self._latest:
                continue
            before = self._latest.setdefault(each.name, each.got)
            if not any(kept.name == each.name for kept in self.settings):
                self.settings.append(each)
            elif each.got != before:
                self.settings.append(each.model_copy(update={"name": f"{each.name} {when}"}))
                if each.asked is None:
                    self.notes.append(f"{each.name} was {before or 'empty'} at first, and {each.got or 'empty'} {when}")
            self._latest[each.name] = each.got


def pin_process(spec: JobSpec) -> None:
    """Pin the process to the cores in the spec."""
    if sys.platform == "linux" and spec.cpus:
        # Before the framework is imported: XLA sizes its thread pool by the cores that it finds.
        os.sched_setaffinity(0, spec.cpus)


def share_cores(cpus: Sequence[int]) -> Setting | None:
    """Let all threads of this process use these cores, and read the cores back; None where none are given."""
    if sys.platform != "linux" or not cpus:
        return None
    for task in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has just ended
            os.sched_setaffinity(int(task.name), cpus)
    return Setting(name=SHARED_CORES, asked=format_cores(cpus), got=format_cores(list_cores()))


def read_process_settings(spec: JobSpec) -> Iterator[Setting]:
    """Read the cores of all threads, and the environment variables."""
    if sys.platform == "linux":
        yield Setting(name=CORES, asked=format_cores(spec.cpus) or None, got=format_cores(list_cores()))
    for name, value in spec.variables.items():
        yield Setting(name=name, asked=value, got=os.environ.get(name, ""))
    yield from read_tuning(spec.cell.tuning)


def read_tuning(tuning: Tuning) -> Iterator[Setting]:
    """Read what a tuning has made of this process: its allocator, or whether it may have huge pages."""
    library = TUNINGS[tuning].library
    if library:
        mapped = (Path(line.rpartition(" ")[2]).name for line in Path("/proc/self/maps").read_text().splitlines())
        is_there = any(name.startswith(library) for name in mapped)
        yield Setting(name="allocator", asked=library, got=library if is_there else "of the C library")
    if tuning == "huge-pages":
        is_disabled = ctypes.CDLL(None).prctl(GET_THP_DISABLE, 0, 0, 0, 0)
        yield Setting(name="huge pages", asked="allowed", got="disabled" if is_disabled else "allowed")


def list_cores() -> set[int]:
    """Return the cores on which some thread of this process may run."""
    found = set(os.sched_getaffinity(0))
    for task in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError, FileNotFoundError):  # it has just ended
            if task.joinpath("comm").read_text().strip() not in HARMLESS_THREADS:
                found |= os.sched_getaffinity(int(task.name))
    return found


def format_cores(cores: Iterable[int]) -> str:
    """Format numbers of cores, ascending."""
    return ",".join(map(str, sorted(cores)))
