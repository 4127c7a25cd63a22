"""Steady-state detection: the classification of a trace of call times after compile calls.

Barrett et al., "Virtual machine warmup blows hot and cold" (OOPSLA 2017). Here, optimal partitioning of log
times replaces PELT, and the noise estimate allows for autocorrelated calls.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Kind: TypeAlias = Literal["flat", "warm-up", "slow-down", "none"]

WINDOW: Final = 7
REACH: Final = WINDOW // 2

# Multiples of the MAD, and of the noise variance times log(n).
OUTLIER: Final = 4.0
PENALTY: Final = 4.0

# Levels whose logarithms differ by less are the same level.
SAME_LEVEL: Final = 0.01
STEADY_SHARE: Final = 0.25
NORMAL_MAD: Final = 1.4826
STRONGEST_CORRELATION: Final = 0.9


@dataclass(frozen=True, slots=True)
class SteadyState:
    """The class of a trace, and its segments.

    flat: one level throughout. warm-up: slower calls first. slow-down: some earlier level was faster than
    the last. none: the last level lasts for less than a quarter of the trace, or less than a window of calls.
    `start` is the index of the first steady call, `level_ns` the median from there on. Without a steady
    state they are the length of the trace and nan. `segments` are (start, stop, level in ns), in order.
    """

    kind: Kind
    start: int
    level_ns: float
    segments: tuple[tuple[int, int, float], ...]


def classify_trace(call_times_ns: Sequence[float]) -> SteadyState:
    """Find the levels of a trace, and the call from which it keeps the last of them."""
    times = np.asarray(call_times_ns, dtype=np.float64)
    if times.size < WINDOW:
        return SteadyState("none", times.size, math.nan, ())
    # A coarse clock may report zero, which has no logarithm.
    trace = np.log(np.maximum(times, 1))
    tamed = _winsorise_trace(trace)
    cuts = _partition_trace(tamed, PENALTY * _estimate_noise(trace) * math.log(times.size))
    spans = list(pairwise(cuts))
    levels = np.array([tamed[a:b].mean() for a, b in spans])
    segments = tuple((a, b, math.exp(level)) for (a, b), level in zip(spans, levels, strict=True))
    away = np.flatnonzero(np.abs(levels - levels[-1]) > SAME_LEVEL)
    start = spans[away[-1]][1] if away.size else 0
    if times.size - start < max(STEADY_SHARE * times.size, WINDOW):
        return SteadyState("none", times.size, math.nan, segments)
    return SteadyState(
        _classify_departures(levels[away] - levels[-1]), start, float(np.median(times[start:])), segments
    )


def _classify_departures(departures: Floats) -> Kind:
    """Return the class of a trace from the departures of its earlier levels from the last: positive is slower."""
    if departures.size == 0:
        return "flat"
    return "slow-down" if departures.min() < 0 else "warm-up"


def _winsorise_trace(trace: Floats) -> Floats:
    """Clip calls to within four MAD of the median of their window of seven.

    Hampel's filter (Davies and Gather 1993), with one MAD for the whole trace. The MAD of a window of seven is
    large wherever three disturbed calls meet, and would let them pass as a level.
    """
    # The opening calls have no window around them and stay as they are, because warm-up happens there. The last calls
    # use the last window.
    medians = np.median(np.lib.stride_tricks.sliding_window_view(trace, WINDOW), axis=1)
    centre = np.concatenate([trace[:REACH], medians, np.full(REACH, medians[-1])])
    limit = OUTLIER * float(np.median(np.abs(trace - centre)[REACH:]))
    return np.clip(trace, centre - limit, centre + limit)


def _estimate_noise(trace: Floats) -> float:
    """Estimate the variance of a log trace around its levels, inflated for first-order autocorrelation.

    The estimate uses differences, of which a change of level affects only one. Differences at lag two over those
    at lag one give the correlation: Chakar, Lebarbier, Levy-Leduc and Robin (2017, Bernoulli 23).
    """
    steps = np.abs(np.diff(trace))
    near, far = float(np.median(steps)), float(np.median(np.abs(trace[2:] - trace[:-2])))
    # A coarse clock makes most differences zero, and zero noise would accept every cut.
    if near == 0:
        return _estimate_flicker(steps)
    correlation = min(max((far / near) ** 2 - 1, 0.0), STRONGEST_CORRELATION)
    return (NORMAL_MAD * near) ** 2 / 2 * (1 + correlation) / (1 - correlation)


def _estimate_flicker(steps: Floats) -> float:
    """Estimate the variance of calls of which most fall on one tick of the clock and some on the next, q away.

    A share p on the other tick has variance p(1-p)q^2, and makes the mean step 2p(1-p)q.
    """
    tick = float(steps[steps > 0].min()) if steps.any() else 0.0
    return float(steps.mean()) * tick / 2


def _partition_trace(trace: Floats, penalty: float) -> list[int]:
    """Return the cuts 0 = c_0 < ... < c_s = n that minimise squared error within segments plus `penalty` for each.

    Optimal partitioning (Jackson et al. 2005), quadratic in the length of the trace.
    """
    n = trace.size
    # Centred, since differences of large sums of squares lose digits.
    centred = trace - np.median(trace)
    sums = np.concatenate([[0.0], np.cumsum(centred)])
    squares = np.concatenate([[0.0], np.cumsum(centred**2)])
    lengths = np.arange(n, 0, -1)
    best, previous = np.zeros(n + 1), np.zeros(n + 1, dtype=np.intp)
    for stop in range(1, n + 1):
        errors = squares[stop] - squares[:stop] - (sums[stop] - sums[:stop]) ** 2 / lengths[n - stop :]
        totals = best[:stop] + errors
        previous[stop] = totals.argmin()
        best[stop] = totals[previous[stop]] + penalty
    return _follow_cuts(previous)


def _follow_cuts(previous: npt.NDArray[np.intp]) -> list[int]:
    cuts = [previous.size - 1]
    while cuts[-1] > 0:
        cuts.append(int(previous[cuts[-1]]))
    return cuts[::-1]
