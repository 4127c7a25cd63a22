"""Effects of runs made at different times on their cells, and the change of a cell beyond them.

A machine never behaves exactly the same twice. Time of day, neighbours and boot affect all processes of a run alike, so
the spread within a run does not show them. The other cells do: the shift of an unchanged cell from run to run is an
effect of the runs alone.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Final

from orchestrator.analysis.statistics.intervals import Interval, reject_by_holm

# Fewer other cells than this give no spread, and so no estimate of the effect of the runs.
FEWEST_OTHERS: Final = 2


@dataclass(frozen=True, slots=True)
class RatioEstimate:
    """A log ratio with its interval, and the p of no difference."""

    interval: Interval
    p: float


@dataclass(frozen=True, slots=True)
class RunEffect:
    """The shift of cells from one run to the other, as logarithms: their mean, and their standard deviation."""

    cells: int
    common: float
    spread: float


def estimate_run_effect(shifts: Sequence[float]) -> RunEffect:
    """Estimate the effect of the runs from the shifts of at least two cells."""
    return RunEffect(len(shifts), fmean(shifts), stdev(shifts))


def allow_for_run_effects(
    observed: Sequence[RatioEstimate], controls: Collection[int], alpha: float
) -> list[RatioEstimate]:
    """Widen each cell's log ratio by the effect of the runs, as estimated from the other cells; needs three cells.

    `controls` are the indices of unchanged cells. A cell that turns out to have changed (Holm, over all cells) had
    widened the intervals of the others. They are tested again without it as a control.
    """
    changed: set[int] = set()
    while True:
        found = [
            widen_by_run_effect(
                own,
                [
                    observed[other].interval.estimate
                    for other in select_controls(index, len(observed), controls, changed)
                ],
                alpha,
            )
            for index, own in enumerate(observed)
        ]
        passed = reject_by_holm([each.p for each in found], alpha)
        more = {
            index for index, each in enumerate(found) if passed[index] and not contains_zero(each.interval)
        } - changed
        if not more:
            return found
        # The set only grows, so the loop ends after at most as many rounds as there are cells.
        changed |= more


def select_controls(index: int, cells: int, controls: Collection[int], changed: Collection[int]) -> list[int]:
    """Return the cells that show the effect of the runs on one: unchanged other controls, or the next best choice."""
    every = [other for other in range(cells) if other != index]
    stayed = [other for other in every if other not in changed]
    choices = ([other for other in stayed if other in controls], stayed, every)
    return next((choice for choice in choices if len(choice) >= FEWEST_OTHERS), every)


def contains_zero(interval: Interval) -> bool:
    """Return True if the interval contains zero, so that no change is claimed."""
    return interval.low <= 0 <= interval.high


def widen_by_run_effect(own: RatioEstimate, others: Sequence[float], alpha: float) -> RatioEstimate:
    """Widen a cell's log ratio by the effect of the runs, estimated from the log ratios of at least two other cells.

    The shift of one more unchanged cell lies within Student's prediction interval around the mean of the others (Hahn
    and Meeker, Statistical Intervals, 4.7). That interval is placed around zero as well as around the mean, and added
    to the cell's own interval in quadrature. A shift of all cells thus makes no claim about a cell that stayed, nor
    about one that shifted with them. The p is the larger of the cell's own and Student's, because a claim must hold for
    the two runs and exceed their effect.
    """
    from scipy.special import stdtr, stdtrit

    moved = estimate_run_effect(others)
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
    return RatioEstimate(interval, max(own.p, further))
