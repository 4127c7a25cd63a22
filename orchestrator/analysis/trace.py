"""Warm-up traces with fewer points: the first calls one by one, later ones merged, to suit a logarithmic axis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

# The most points of one trace; the algorithm needs at least two.
MOST_POINTS: Final = 32

# Subtracted before rounding up, so that a rounding error does not add a call.
ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class TracePoint:
    """A point of a trace: the total number of calls, and the nanoseconds per call since the previous point."""

    calls: int
    each_ns: float


def thin_trace(laps: Sequence[tuple[int, int]], most: int = MOST_POINTS) -> tuple[TracePoint, ...]:
    """Merge the laps of a warm-up, calls and nanoseconds, into at most this many points; the total time is kept."""
    points, done = list[TracePoint](), 0
    for first, last in pairwise(choose_cuts(len(laps), most)):
        calls = sum(calls for calls, _ in laps[first:last])
        done += calls
        points.append(TracePoint(done, sum(took for _, took in laps[first:last]) / calls))
    return tuple(points)


def choose_cuts(length: int, most: int) -> list[int]:
    """Return places from 0 to `length` with at most `most` steps between them: of one at first, then ever larger."""
    found = [0]
    while (place := found[-1]) < length:
        growth = (length / max(place, 1)) ** (1 / (most + 1 - len(found)))
        found.append(max(place + 1, min(length, math.ceil(place * growth - ROUNDING))))
    return found
