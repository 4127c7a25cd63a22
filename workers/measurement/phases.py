"""The costs of a job's phases, in time and memory, in the order in which they began."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from schemas.event import Phase, PhaseCost, PhaseMemory, PhaseName
from workers.measurement import memory
from workers.measurement.kernel_files import PROC, read_small_file

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

# After these phases the C library returns its free memory before memory is read: the rest is really needed.
TRIMMED_PHASES: frozenset[PhaseName] = frozenset({"data", "build"})


@dataclass(frozen=True, slots=True)
class Moment:
    """The clocks of a process and the waits of its main thread so far, in nanoseconds; None: not counted."""

    wall_ns: int
    cpu_ns: int
    main_cpu_ns: int
    waiting_ns: int | None
    io_ns: int | None


class Ledger:
    """Record of phases, which announces each phase before it begins.

    Memory is read unless `reads_memory` is False: a process that is to be forked shares pages with its template, and
    sums over them would be no user's.
    """

    def __init__(self, announce: Callable[[Phase], None], *, reads_memory: bool = True) -> None:
        self._announce = announce
        self._reads_memory = reads_memory
        self._costs: list[PhaseCost] = []
        self._read_at = 0

    def record_start(self) -> None:
        """Close the phase before the ledger existed: the start of the interpreter and the worker's imports."""
        age_ns = memory.read_age_ns()
        if age_ns is not None:
            now = read_moment(clocks_first=True)
            began = Moment(max(0, now.wall_ns - age_ns), 0, 0, 0, 0)
            self._costs.append(
                make_cost("start", began, now, memory.read_since_start() if self._reads_memory else None)
            )

    @contextmanager
    def phase(self, name: PhaseName) -> Iterator[memory.HighWaterMarks]:
        """Measure a phase. Memory is read before the clock starts and after it has stopped.

        That reading is a separate phase: for a process with many mappings it takes tens of milliseconds.
        """
        # First of all: if the phase kills this process, the parent still knows which one it was.
        self._announce(Phase(name=name))
        marks = memory.HighWaterMarks(is_counted=self._reads_memory)
        began = read_moment(clocks_first=False)
        yield marks
        ended = read_moment(clocks_first=True)
        if name in TRIMMED_PHASES:
            memory.trim_heap()
        reading = marks.read(self._read_at)
        # Only full readings count, so that many small changes add up until the next one is due.
        if reading is not None and reading.pss is not None:
            self._read_at = reading.end
        self._costs += [
            make_cost(name, began, ended, reading),
            make_cost("ledger", ended, read_moment(clocks_first=True)),
        ]

    @property
    def costs(self) -> tuple[PhaseCost, ...]:
        """The phases closed so far, with the ledger's own phase last. A phase entered twice appears once."""
        merged: dict[PhaseName, PhaseCost] = {}
        for cost in sorted(self._costs, key=lambda cost: cost.name == "ledger"):
            before = merged.get(cost.name)
            merged[cost.name] = cost if before is None else merge_costs(before, cost)
        return tuple(merged.values())


def read_moment(*, clocks_first: bool) -> Moment:
    """Read clocks and waits; the clocks are read next to the phase, so that it does not include reading the rest."""
    waits = None if clocks_first else read_waits()
    wall_ns, cpu_ns, main_ns = time.perf_counter_ns(), time.process_time_ns(), time.thread_time_ns()
    return Moment(wall_ns, cpu_ns, main_ns, *(waits or read_waits()))


def read_waits() -> tuple[int | None, int | None]:
    """Return how long the main thread has waited for a core and for a disk.

    The second field of schedstat and the 42nd of stat, proc_pid_stat(5); of a process both are its main thread's.
    """
    ran, delay, *_ = (*read_small_file(PROC / "self/schedstat").split(), "", "")
    io_ns = None
    if is_io_counted():
        fields = read_small_file(PROC / "self/stat").rpartition(")")[2].split()
        io_ns = int(fields[39]) * TICK_NS if len(fields) > 39 else None
    # A kernel that counts no waiting counts no time on a core either.
    return int(delay) if ran.strip("0") and delay else None, io_ns


@cache
def is_io_counted() -> bool:
    """Return whether the kernel counts how long threads wait for disks; most do only on request."""
    return read_small_file(PROC / "sys/kernel/task_delayacct").strip() == "1"


def make_cost(name: PhaseName, began: Moment, ended: Moment, reading: PhaseMemory | None = None) -> PhaseCost:
    """Return the cost of a phase between two moments."""
    return PhaseCost(
        name=name,
        wall_ns=ended.wall_ns - began.wall_ns,
        cpu_ns=ended.cpu_ns - began.cpu_ns,
        main_cpu_ns=ended.main_cpu_ns - began.main_cpu_ns,
        waiting_ns=subtract_known(ended.waiting_ns, began.waiting_ns),
        io_ns=subtract_known(ended.io_ns, began.io_ns),
        spans=((began.wall_ns, ended.wall_ns),),
        memory=reading,
    )


def merge_costs(first: PhaseCost, second: PhaseCost) -> PhaseCost:
    """Merge two parts of one phase: times add up, memory runs from the first start to the last end."""
    memory = None
    if first.memory is not None and second.memory is not None:
        highest = max(first.memory.peak, second.memory.peak)
        memory = PhaseMemory.model_validate(second.memory.model_dump() | {"start": first.memory.start, "peak": highest})
    return PhaseCost(
        name=first.name,
        wall_ns=first.wall_ns + second.wall_ns,
        cpu_ns=first.cpu_ns + second.cpu_ns,
        main_cpu_ns=add_known(first.main_cpu_ns, second.main_cpu_ns),
        waiting_ns=add_known(first.waiting_ns, second.waiting_ns),
        io_ns=add_known(first.io_ns, second.io_ns),
        stopped_ns=add_known(first.stopped_ns, second.stopped_ns),
        spans=(*first.spans, *second.spans),
        memory=memory,
    )


def add_known(one: int | None, other: int | None) -> int | None:
    """Return a sum; None if a part is unknown."""
    return None if one is None or other is None else one + other


def subtract_known(one: int | None, other: int | None) -> int | None:
    """Return a difference; None if a part is unknown."""
    return None if one is None or other is None else max(0, one - other)
