"""The costs of a job's phases, in time and memory, in the order in which they began."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from schemas.event import Phase, PhaseCost, PhaseMemory, PhaseName
from workers.measurement import memory

# After these phases the C library returns its free memory before memory is read: the rest is really needed.
TRIMMED_PHASES: frozenset[PhaseName] = frozenset({"data", "build"})


class Ledger:
    """Record of phases, which announces each phase before it begins."""

    def __init__(self, announce: Callable[[Phase], None]) -> None:
        self._announce = announce
        self._costs: list[PhaseCost] = []
        self._read_at = 0

    def record_start(self) -> None:
        """Close the phase before the ledger existed: the start of the interpreter and the worker's imports."""
        wall_ns = memory.read_age_ns()
        if wall_ns is not None:
            cost = PhaseCost(
                name="start", wall_ns=wall_ns, cpu_ns=time.process_time_ns(), memory=memory.read_since_start()
            )
            self._costs.append(cost)

    @contextmanager
    def phase(self, name: PhaseName) -> Iterator[memory.HighWaterMarks]:
        """Measure a phase. Memory is read before the clock starts and after it has stopped.

        That reading is a separate phase: for a process with many mappings it takes tens of milliseconds.
        """
        # First of all: if the phase kills this process, the parent still knows which one it was.
        self._announce(Phase(name=name))
        marks = memory.HighWaterMarks()
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        yield marks
        wall_end, cpu_end = time.perf_counter_ns(), time.process_time_ns()
        if name in TRIMMED_PHASES:
            memory.trim_heap()
        reading = marks.read(self._read_at)
        # Only full readings count, so that many small changes add up until the next one is due.
        if reading is not None and reading.pss is not None:
            self._read_at = reading.end
        own_wall, own_cpu = time.perf_counter_ns() - wall_end, time.process_time_ns() - cpu_end
        self._costs += [
            PhaseCost(name=name, wall_ns=wall_end - wall, cpu_ns=cpu_end - cpu, memory=reading),
            PhaseCost(name="ledger", wall_ns=own_wall, cpu_ns=own_cpu),
        ]

    @property
    def costs(self) -> tuple[PhaseCost, ...]:
        """The phases closed so far, with the ledger's own phase last. A phase entered twice appears once."""
        merged: dict[PhaseName, PhaseCost] = {}
        for cost in sorted(self._costs, key=lambda cost: cost.name == "ledger"):
            before = merged.get(cost.name)
            merged[cost.name] = cost if before is None else merge_costs(before, cost)
        return tuple(merged.values())


def merge_costs(first: PhaseCost, second: PhaseCost) -> PhaseCost:
    """Merge two parts of one phase: times add up, memory runs from the first start to the last end."""
    memory = None
    if first.memory is not None and second.memory is not None:
        highest = max(first.memory.peak, second.memory.peak)
        memory = PhaseMemory.model_validate(second.memory.model_dump() | {"start": first.memory.start, "peak": highest})
    return PhaseCost(
        name=first.name, wall_ns=first.wall_ns + second.wall_ns, cpu_ns=first.cpu_ns + second.cpu_ns, memory=memory
    )
