"""What so many calls cost in all: the lines that cross where compiling has paid."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.analysis.breakeven import BreakEven
from orchestrator.analysis.curve import Curve, Start
from orchestrator.analysis.statistics import Interval, median_interval

NEAREST: Final = 10**6
FARTHEST: Final = 10**12
"""The most calls to look at: as many at least, and at most, whatever pays later."""


@dataclass(frozen=True, slots=True)
class Total:
    """The time in nanoseconds that so many calls take in all: a median over processes, with its interval."""

    calls: int
    spent_ns: Interval


def totals(curves: Mapping[int, Curve], start: Start, numbers: Iterable[int]) -> tuple[Total, ...]:
    """One mode's totals at these numbers of calls, from its processes' curves, steady calls at their floors.

    The interval is that of one mode by itself. Modes are compared block by block, where much of it falls away.
    """
    return tuple(
        Total(calls, median_interval([curve.floor_total_ns(calls, start) for curve in curves.values()]))
        for calls in numbers
    )


def numbers_of_calls(found: Iterable[BreakEven]) -> tuple[int, ...]:
    """1, 2, 5, 10, ... up to ten times the last of these break-evens, so that their crossings lie inside."""
    paid = [calls.estimate for each in found for calls in (each.calls, each.with_import)]
    last = max([NEAREST, *(10 * calls for calls in paid if math.isfinite(calls))])
    decades = math.ceil(math.log10(min(last, FARTHEST)))
    return (*(step * 10**decade for decade in range(decades) for step in (1, 2, 5)), 10**decades)
