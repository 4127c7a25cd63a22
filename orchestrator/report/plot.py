"""Small plots in characters: one sign for each value, or for several in a row where there are too many."""

import math
from collections.abc import Callable, Sequence
from statistics import median
from typing import Final, TypeVar

T = TypeVar("T")

BARS: Final = "▁▂▃▄▅▆▇█"
MARK, NO_MARK = "×", "·"


def bars(values: Sequence[float], width: int) -> str:
    """Values from the least, a low bar, to the greatest, a high one; several in a row by their median."""
    means = binned(values, width, median)
    low, high = min(means, default=0.0), max(means, default=0.0)
    steps = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((mean - low) * steps)] for mean in means)


def log_bars(values: Sequence[float], width: int) -> str:
    """The same by their logarithms, for values of different sizes; what is not above zero is as the least."""
    least = min((value for value in values if value > 0), default=1.0)
    return bars([math.log(max(value, least)) for value in values], width)


def marks(flags: Sequence[bool], width: int) -> str:
    """A cross where something is so, or is for any of several in a row; a dot elsewhere."""
    return "".join(MARK if flag else NO_MARK for flag in binned(flags, width, any))


def binned(values: Sequence[T], width: int, fold: Callable[[Sequence[T]], T]) -> list[T]:
    """At most so many values, each that of a few in a row."""
    size = max(1, math.ceil(len(values) / width))
    return [fold(values[first : first + size]) for first in range(0, len(values), size)]
