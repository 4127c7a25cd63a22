"""A warm-up with fewer points: the first calls one by one, later ones joined, as a logarithmic axis shows them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

MOST: Final = 32
"""Points of one trace, at most; two at least."""

ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Point:
    """After so many calls in all, the last of them took so many nanoseconds each."""

    calls: int
    each_ns: float


def trace(laps: Sequence[tuple[int, int]], most: int = MOST) -> tuple[Point, ...]:
    """The laps of a warm-up, calls and nanoseconds, joined to at most so many points; no time is lost or made."""
    points, done = list[Point](), 0
    for first, last in pairwise(cuts(len(laps), most)):
        calls = sum(calls for calls, _ in laps[first:last])
        done += calls
        points.append(Point(done, sum(took for _, took in laps[first:last]) / calls))
    return tuple(points)


def cuts(length: int, most: int) -> list[int]:
    """Places from 0 to `length`, one apart at first and then ever farther; of the steps between them at most `most`."""
    found = [0]
    while (place := found[-1]) < length:
        growth = (length / max(place, 1)) ** (1 / (most + 1 - len(found)))
        found.append(max(place + 1, min(length, math.ceil(place * growth - ROUNDING))))
    return found
