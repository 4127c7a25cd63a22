"""Total cost by number of calls: the lines of the chart that cross at a break-even."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.analysis.breakeven import BreakEven
from orchestrator.analysis.costs.cost_curve import CostCurve, Start
from orchestrator.analysis.statistics.intervals import Interval, median_interval

# Bounds for the largest number of calls, wherever the break-evens lie.
SHORTEST_RANGE: Final = 10**6
LONGEST_RANGE: Final = 10**12


@dataclass(frozen=True, slots=True)
class TotalCost:
    """The total time of a number of calls in nanoseconds: a median over processes, with its interval."""

    calls: int
    spent_ns: Interval


def compute_total_costs(curves: Mapping[int, CostCurve], start: Start, numbers: Iterable[int]) -> tuple[TotalCost, ...]:
    """Return one mode's totals at these numbers of calls, from its processes' curves with steady calls at their floors.

    The interval is that of one mode alone. Modes are compared block by block, where much of the variation cancels.
    """
    return tuple(
        TotalCost(calls, median_interval([curve.floor_total_ns(calls, start) for curve in curves.values()]))
        for calls in numbers
    )


def choose_call_counts(found: Iterable[BreakEven]) -> tuple[int, ...]:
    """Return 1, 2, 5, 10, ... up to ten times the last of these break-evens, so that their crossings are visible."""
    paid = [calls.estimate for each in found for calls in (each.calls, each.with_import)]
    last = max([SHORTEST_RANGE, *(10 * calls for calls in paid if math.isfinite(calls))])
    decades = math.ceil(math.log10(min(last, LONGEST_RANGE)))
    return (*(step * 10**decade for decade in range(decades) for step in (1, 2, 5)), 10**decades)
