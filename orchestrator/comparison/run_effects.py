"""Effects of runs made at different times on their cells, and the change of a cell beyond them.

A machine never behaves exactly the same twice. Time of day, neighbours and boot affect all processes of a run alike, so
the spread within a run does not show them. The other cells do: the shift of an unchanged cell from run to run is an
effect of the runs alone. With too few other cells, the effect is assumed to be as large as between runs in the past.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Final

from orchestrator.analysis.statistics.intervals import Interval, reject_by_holm
from orchestrator.analysis.undisturbed import RatioEstimate

# Fewer other cells than this give no spread, and so no estimate of the effect of the runs.
FEWEST_OTHERS: Final = 2

# Standard deviation of the shift of an unchanged cell from run to run, where too few other cells show it. Runs within
# minutes on a shared machine shifted by 0.4 %, and by 1.4 % at most (docs/how-to/compare.md); another day may be worse.
ASSUMED_SPREAD: Final = 0.02


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
    observed: Sequence[RatioEstimate], controls: Collection[int], alpha: float, witnesses: Sequence[float] = ()
) -> list[RatioEstimate]:
    """Widen each cell's log ratio by the effect of the runs, as estimated from the other cells.

    With fewer than three cells, the spread of that effect is assumed. `witnesses` are then further log ratios of what
    has not changed. `controls` are the indices of unchanged cells. A cell that turns out to have changed (Holm, over
    all cells) had widened the intervals of the others. They are tested again without it as a control.
    """
    changed: set[int] = set()
    while True:
        found = [
            widen_by_others(
                own,
                [
                    observed[other].interval.estimate
                    for other in select_controls(index, len(observed), controls, changed)
                ],
                alpha,
                witnesses,
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
    enough = next((choice for choice in choices if len(choice) >= FEWEST_OTHERS), None)
    return stayed if enough is None else enough


def contains_zero(interval: Interval) -> bool:
    """Return True if the interval contains zero, so that no change is claimed."""
    return interval.low <= 0 <= interval.high


def widen_by_others(
    own: RatioEstimate, others: Sequence[float], alpha: float, witnesses: Sequence[float]
) -> RatioEstimate:
    """Widen a cell's log ratio by the effect of the runs, with an assumed spread if the other cells are too few."""
    if len(others) >= FEWEST_OTHERS:
        return widen_by_run_effect(own, others, alpha)
    return widen_by_assumed_effect(own, (*others, *witnesses), alpha)


def widen_by_assumed_effect(own: RatioEstimate, witnesses: Sequence[float], alpha: float) -> RatioEstimate:
    """Widen a cell's log ratio by a normal effect of the runs with the assumed spread.

    It is placed around zero and around the log ratio of each witness, which may have shifted with the machine.
    """
    from scipy.special import ndtr, ndtri

    shifts = (0.0, *witnesses)
    span, allowed = (min(shifts), max(shifts)), float(ndtri(1 - alpha / 2)) * ASSUMED_SPREAD
    away = measure_distance(own, span)
    return widen_interval(own, span, allowed, 2 * float(ndtr(-away / ASSUMED_SPREAD)))


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
    span = (min(moved.common, 0.0), max(moved.common, 0.0))
    away = measure_distance(own, span)
    further = 2 * float(stdtr(moved.cells - 1, -away / error)) if error > 0 else float(away == 0)
    return widen_interval(own, span, allowed, further)


def measure_distance(own: RatioEstimate, span: tuple[float, float]) -> float:
    """Return the distance of an estimate from the shifts that the runs alone may have caused."""
    return max(own.interval.estimate - span[1], span[0] - own.interval.estimate, 0.0)


def widen_interval(own: RatioEstimate, span: tuple[float, float], allowed: float, further: float) -> RatioEstimate:
    """Widen a log ratio by an effect within `allowed` of any shift in `span`; `further` is the p of exceeding it."""
    centre = own.interval.estimate
    interval = Interval(
        centre,
        centre - span[1] - math.hypot(centre - own.interval.low, allowed),
        centre - span[0] + math.hypot(own.interval.high - centre, allowed),
    )
    return RatioEstimate(interval, max(own.p, further))
