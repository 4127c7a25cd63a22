"""What runs made at different times did to their cells, and what of a change from one to the other is left beyond that.

A machine is not the same twice. What time of day, neighbours and boot did to a run is in all of its processes alike,
and so in no spread that a run shows by itself. It shows in the other cells: each has moved from run to run in its own
way, and one that did not change itself was moved by the runs alone.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Final

from orchestrator.analysis.statistics import Interval, holm

FEWEST_OTHERS: Final = 2
"""From fewer other cells nothing can be learnt of what the runs did to all."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A log ratio with its interval, and the p of there being none."""

    interval: Interval
    p: float


@dataclass(frozen=True, slots=True)
class Drift:
    """How cells moved from one run to the other: logarithms, on the whole and apart from each other."""

    cells: int
    common: float
    spread: float


def drift(shifts: Sequence[float]) -> Drift:
    """How at least two cells moved."""
    return Drift(len(shifts), fmean(shifts), stdev(shifts))


def allowed_for(observed: Sequence[Estimate], controls: Collection[int], alpha: float) -> list[Estimate]:
    """What of each cell's log ratio is beyond what the runs may have done to it, by the other cells. At least three.

    `controls` are the indices of cells that have not changed. A cell that is found to have changed (Holm, over all)
    speaks no more for the others, which then are looked at again: it hid them, and made their intervals wide.
    """
    changed: set[int] = set()
    while True:
        found = [
            beyond(
                own,
                [observed[other].interval.estimate for other in others(index, len(observed), controls, changed)],
                alpha,
            )
            for index, own in enumerate(observed)
        ]
        passed = holm([each.p for each in found], alpha)
        more = {index for index, each in enumerate(found) if passed[index] and not around_zero(each.interval)} - changed
        if not more:
            return found
        changed |= more


def others(index: int, cells: int, controls: Collection[int], changed: Collection[int]) -> list[int]:
    """The cells that show what the runs did to one: other controls that have not changed, or the nearest to that."""
    every = [other for other in range(cells) if other != index]
    stayed = [other for other in every if other not in changed]
    choices = ([other for other in stayed if other in controls], stayed, every)
    return next((choice for choice in choices if len(choice) >= FEWEST_OTHERS), every)


def around_zero(interval: Interval) -> bool:
    """Whether it may be that nothing has changed."""
    return interval.low <= 0 <= interval.high


def beyond(own: Estimate, others: Sequence[float], alpha: float) -> Estimate:
    """A cell's log ratio with what the runs may have done to it, by the log ratios of at least two others.

    Of one more cell that only the runs moved, the shift is expected about the mean of the others', as far from it as
    Student's law allows for a further value of a sample (Hahn and Meeker, Statistical Intervals, 4.7). That is laid
    around zero as well as around the mean, and added to the cell's own interval in quadrature. So a shift of all cells
    makes no claim about one that stayed, nor about one that moved with them. The p is the larger of the cell's own and
    that of Student's law: a claim has to be true of the two runs, and more than they did.
    """
    from scipy.special import stdtr, stdtrit

    moved = drift(others)
    error = moved.spread * math.sqrt(1 + 1 / moved.cells)
    allowed = float(stdtrit(moved.cells - 1, 1 - alpha / 2)) * error
    down, up, centre = min(moved.common, 0.0), max(moved.common, 0.0), own.interval.estimate
    interval = Interval(
        centre,
        centre - up - math.hypot(centre - own.interval.low, allowed),
        centre - down + math.hypot(own.interval.high - centre, allowed),
    )
    away = max(centre - up, down - centre, 0.0)
    further = 2 * float(stdtr(moved.cells - 1, -away / error)) if error > 0 else float(away == 0)
    return Estimate(interval, max(own.p, further))
