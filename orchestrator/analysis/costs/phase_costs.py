"""Costs of a worker's phases over all processes of a cell: the time of each, and its resident memory."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from orchestrator.analysis.statistics.intervals import Interval, median_interval
from schemas.event import PhaseCost, PhaseMemory, PhaseName

PHASES: tuple[PhaseName, ...] = get_args(PhaseName)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseSummary:
    """One phase: medians over the processes that ran it, in nanoseconds and bytes; None if memory is not counted."""

    phase: PhaseName
    wall_ns: Interval
    cpu_ns: float
    peak: float | None
    end: float | None


def summarise_phases(found: Iterable[Sequence[PhaseCost]]) -> tuple[PhaseSummary, ...]:
    """Summarise the phases of these processes, in the order in which a worker runs them."""
    costs = [cost for each in found for cost in each]
    of_phase = {name: [cost for cost in costs if cost.name == name] for name in PHASES}
    return tuple(summarise_phase(name, found) for name, found in of_phase.items() if found)


def list_phases(summaries: Iterable[Sequence[PhaseSummary]]) -> list[PhaseName]:
    """Return the phases of any of these modes, in order."""
    there = {summary.phase for found in summaries for summary in found}
    return [phase for phase in PHASES if phase in there]


def summarise_phase(name: PhaseName, costs: Sequence[PhaseCost]) -> PhaseSummary:
    """Summarise one phase from its cost in each process."""
    return PhaseSummary(
        phase=name,
        wall_ns=median_interval([cost.wall_ns for cost in costs]),
        cpu_ns=statistics.median(cost.cpu_ns for cost in costs),
        peak=median_resident_bytes(costs, lambda memory: memory.peak),
        end=median_resident_bytes(costs, lambda memory: memory.end),
    )


def median_resident_bytes(costs: Sequence[PhaseCost], which: Callable[[PhaseMemory], int]) -> float | None:
    """Return a median of bytes over the processes whose system counts memory."""
    known = [which(cost.memory) for cost in costs if cost.memory is not None]
    return statistics.median(known) if known else None
