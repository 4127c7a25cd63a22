"""Cost curve of one process: the time that a user waits until a number of calls is done."""

import math
import statistics
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from orchestrator.analysis.derivation.process import Figures, list_laps
from orchestrator.analysis.statistics.intervals import Floats

# The start of the clock: the finished model, or the time before the framework is imported.
Start = Literal["model", "import"]

# A cost of the start of a process, in nanoseconds; and its estimate for one process.
StartCost = Callable[[Figures], float]
Estimate = Callable[[StartCost], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCurve:
    """Time against calls of one process in nanoseconds: piecewise linear during warm-up, then straight.

    `seen` holds the points of the warm-up: the number of calls, and their time since the model was finished. The first
    point is the first result. Each call after the last point takes `floor_ns`, or `typical_ns`. `undisturbed` is the
    same curve without all that disturbances can have cost; None: they cost nothing.
    """

    before_model_ns: float
    seen: tuple[tuple[int, float], ...]
    floor_ns: float
    typical_ns: float
    undisturbed: "CostCurve | None" = None

    @property
    def least(self) -> "CostCurve":
        """The curve without all that disturbances can have cost."""
        return self.undisturbed or self

    def floor_total_ns(self, calls: int, start: Start) -> float:
        """Return the time from `start` until this number of calls, with steady calls at the process's floor."""
        return self._total_ns(calls, self.floor_ns, start)

    def typical_total_ns(self, calls: int, start: Start) -> float:
        """Return the same with steady calls at the process's typical time."""
        return self._total_ns(calls, self.typical_ns, start)

    def _total_ns(self, calls: int, steady_ns: float, start: Start) -> float:
        since_model = self._since_model_ns(calls, steady_ns)
        return since_model + self.before_model_ns if start == "import" else since_model

    def _since_model_ns(self, calls: int, steady_ns: float) -> float:
        # A lap is timed as a whole, so calls within it count as equally long.
        place = bisect_right(self.seen, calls, key=lambda point: point[0])
        done, spent = self.seen[place - 1]
        if place == len(self.seen):
            return spent + (calls - done) * steady_ns
        then_done, then_spent = self.seen[place]
        return spent + (calls - done) * (then_spent - spent) / (then_done - done)


@dataclass(frozen=True, slots=True)
class TotalsOfCurves:
    """The totals of several curves at once, with steady calls at each process's floor.

    `steady_ns` are the floors. Beyond its last point, each curve is a line with this slope through that point.
    """

    curves: tuple[CostCurve, ...]
    start: Start
    steady_ns: Floats
    last_calls: Floats
    last_total_ns: Floats

    @classmethod
    def from_curves(cls, curves: Sequence[CostCurve], start: Start) -> Self:
        """Return the totals of these curves from this start of the clock."""
        last = [curve.seen[-1][0] for curve in curves]
        totals_ns = [curve.floor_total_ns(calls, start) for curve, calls in zip(curves, last, strict=True)]
        floors_ns = [curve.floor_ns for curve in curves]
        return cls(tuple(curves), start, np.array(floors_ns), np.array(last, dtype=np.float64), np.array(totals_ns))

    def total_ns(self, calls: float) -> Floats:
        """Return the time of each curve until this number of calls, in nanoseconds; at infinity, that of one call."""
        if math.isinf(calls):
            return self.steady_ns
        whole = int(calls)
        if whole >= self.last_calls.max():
            return self.last_total_ns + (whole - self.last_calls) * self.steady_ns
        return np.array([curve.floor_total_ns(whole, self.start) for curve in self.curves])


def make_cost_curve(figures: Figures, estimate: Estimate | None = None) -> CostCurve:
    """Make the curve of one process: its measured warm-up up to the lap from which calls were steady.

    `estimate` returns each cost of its start; without it, these are its own. Without disturbances, a phase takes at
    least its CPU time, the warm-up laps that share of theirs, and a steady call the least floor.
    """
    estimate = estimate or (lambda cost: cost(figures))
    laps = list_laps(figures)[1 : figures.steady_from]
    least = CostCurve(
        before_model_ns=estimate(lambda each: each.least_before_model_ns),
        seen=trace_warm_up(estimate(lambda each: each.least_first_result_ns), laps, figures.busy_share),
        floor_ns=figures.least_floor_ns,
        typical_ns=figures.least_floor_ns,
    )
    return CostCurve(
        before_model_ns=estimate(lambda each: each.before_model_ns),
        seen=trace_warm_up(estimate(lambda each: each.first_result_ns), laps),
        floor_ns=figures.floor_ns,
        typical_ns=figures.typical_ns,
        undisturbed=least,
    )


def estimate_start_cost(
    cost: StartCost, figures: Figures, forked: Sequence[Figures], fresh: Sequence[Figures]
) -> float:
    """Return a cost of the start of a process; of a forked one, the cost that it would have after a fresh start.

    A forked process imports nothing, and its first calls copy the pages that it shares. So its cost is moved by the
    difference between the medians of all `fresh` and all `forked` processes of its cell, but to no less than the least
    of the fresh ones.
    """
    if not figures.forked:
        return cost(figures)
    costs = [cost(each) for each in fresh]
    usual = statistics.median(cost(each) for each in forked)
    return max(min(costs), cost(figures) - usual + statistics.median(costs))


def trace_warm_up(
    first_ns: float, laps: Sequence[tuple[int, int]], share: float = 1.0
) -> tuple[tuple[int, float], ...]:
    """Return the points of a warm-up after a first result, with laps that take this share of their times."""
    # At least a nanosecond, since break-evens take logarithms of totals.
    calls, spent = 1, max(1.0, first_ns)
    seen = [(calls, spent)]
    for lap_calls, took in laps:
        calls, spent = calls + lap_calls, spent + share * took
        seen.append((calls, spent))
    return tuple(seen)
