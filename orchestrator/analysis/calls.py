"""The total time of each mode for one number of calls, with the modes that may have the least."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.analysis.breakeven import find_lowest_totals
from orchestrator.analysis.costs.cost_curve import Start
from orchestrator.analysis.results import Group
from orchestrator.analysis.statistics.intervals import Interval, median_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeTotal:
    """The total time of one mode for a number of calls, in nanoseconds: its median with an interval.

    `seen_ns` are the least and the greatest of its processes, which also stand where they are too few for an interval.
    """

    mode: str
    total_ns: Interval
    seen_ns: tuple[float, float]
    processes: int

    @property
    def has_interval(self) -> bool:
        """True if the processes support an interval."""
        return self.total_ns.low > 0 and math.isfinite(self.total_ns.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswer:
    """The modes of a group for one number of calls, the least total first.

    `best` are the modes that no other is claimed to beat. `is_ahead`: in each of the `blocks`, the first mode had a
    lower total than all others of the best.
    """

    totals: tuple[ModeTotal, ...]
    best: tuple[str, ...]
    blocks: int
    is_ahead: bool


def answer_for_calls(group: Group, calls: int, start: Start) -> CallAnswer | None:
    """Return the totals of a group's modes for this number of calls; None if nothing was measured."""
    spent = {
        label: {block: curve.floor_total_ns(calls, start) for block, curve in curves.items()}
        for label, curves in group.curves.items()
        if curves
    }
    if not spent:
        return None
    best = find_lowest_totals(group, calls, start)
    # The least estimate among the best comes first, even if noise put another mode's estimate below it.
    totals = sorted(
        (summarise_total(label, found) for label, found in spent.items()),
        key=lambda total: (total.mode not in best, total.total_ns.estimate),
    )
    blocks, is_ahead = compare_by_block([spent[total.mode] for total in totals if total.mode in best])
    return CallAnswer(totals=tuple(totals), best=best, blocks=blocks, is_ahead=is_ahead)


def compare_by_block(spent_ns: Sequence[Mapping[int, float]]) -> tuple[int, bool]:
    """Return the number of blocks that these modes share, and whether the first had the least total in each."""
    first, *others = spent_ns
    shared = set(first).intersection(*others)
    return len(shared), bool(shared) and all(first[block] < other[block] for other in others for block in shared)


def summarise_total(mode: str, spent_ns: Mapping[int, float]) -> ModeTotal:
    """Return the total of one mode from those of its processes, by block."""
    values = [*spent_ns.values()]
    return ModeTotal(
        mode=mode, total_ns=median_interval(values), seen_ns=(min(values), max(values)), processes=len(values)
    )
