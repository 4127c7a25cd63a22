"""The times in which a signal had stopped a worker are taken out of what its job took. Pure."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.execution.supervisor import Ending
from schemas.event import Exported, PhaseCost, PhaseName, Profiled, Report

Span = tuple[int, int]

# In these phases calls are timed one by one, so that taking the stop out of the whole phase does not mend them.
TIMED_PHASES: Final[frozenset[PhaseName]] = frozenset(
    {"first_call", "second_call", "new_shapes", "warm_up", "steady", "latency"}
)


def remove_stops(ending: Ending) -> Ending:
    """Return an ending whose result has phases without the stops."""
    last = ending.events[-1] if ending.events else None
    if not isinstance(last, Report | Exported | Profiled):
        return ending
    phases = tuple(remove_from_phase(cost, ending.stops) for cost in last.phases)
    changes: dict[str, object] = {"phases": phases}
    if isinstance(last, Exported):
        lost_ns = sum_stopped_ns(phases, {"export", "reference"})
        written_ns = max(0, last.artefact.written_ns - lost_ns)
        changes["artefact"] = last.artefact.model_copy(update={"written_ns": written_ns})
    return dataclasses.replace(ending, events=(*ending.events[:-1], last.model_copy(update=changes)))


def remove_from_phase(cost: PhaseCost, stops: Sequence[Span]) -> PhaseCost:
    """Return the cost of a phase without the stops during it; unchanged if its worker did not tell when it was."""
    if not cost.spans:
        return cost
    stopped_ns = sum(compute_stopped_ns(span, stop) for span in cost.spans for stop in stops)
    return cost.model_copy(update={"wall_ns": max(0, cost.wall_ns - stopped_ns), "stopped_ns": stopped_ns})


def compute_stopped_ns(span: Span, stop: Span) -> int:
    """Return how much of a part of a phase a stop took, if it began there.

    A stopped worker neither begins nor ends a phase. If a stop seems to, its end was noticed too late.
    """
    return max(0, min(span[1], stop[1]) - stop[0]) if span[0] <= stop[0] < span[1] else 0


def sum_stopped_ns(phases: Iterable[PhaseCost], names: Iterable[PhaseName]) -> int:
    """Return how long the worker was stopped in these phases."""
    return sum(cost.stopped_ns or 0 for cost in phases if cost.name in names)


def describe_lost_times(ending: Ending, report: Report) -> str:
    """Return why the times of calls do not count; "" if neither a signal nor the machine's sleep interrupted them."""
    if ending.suspended_ns:
        return f"the machine slept for {ending.suspended_ns / 1e9:.1f} s meanwhile"
    hit = [cost.name.replace("_", " ") for cost in report.phases if cost.name in TIMED_PHASES and cost.stopped_ns]
    if not hit:
        return ""
    stopped_s = sum_stopped_ns(report.phases, TIMED_PHASES) / 1e9
    return f"a signal stopped it for {stopped_s:.1f} s during {' and '.join(hit)}, where calls are timed"
