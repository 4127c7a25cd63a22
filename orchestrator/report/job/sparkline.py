"""Small plots in characters: one for each value, or for several in a row if there are too many."""

import math
from collections.abc import Callable, Sequence
from statistics import median
from typing import Final, TypeVar

T = TypeVar("T")

BARS: Final = "▁▂▃▄▅▆▇█"
MARK, NO_MARK = "×", "·"


def plot_bars(values: Sequence[float], width: int) -> str:
    """Return bars from the least value, a low one, to the greatest; several in a row share the bar of their median."""
    means = bin_values(values, width, median)
    low, high = min(means, default=0.0), max(means, default=0.0)
    steps = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((mean - low) * steps)] for mean in means)


def plot_log_bars(values: Sequence[float], width: int) -> str:
    """Return bars of logarithms, for values of different magnitudes; values not above zero count as the least."""
    least = min((value for value in values if value > 0), default=1.0)
    return plot_bars([math.log(max(value, least)) for value in values], width)


def plot_marks(flags: Sequence[bool], width: int) -> str:
    """Return a cross for each flag that is set, or for several in a row if any is; a dot otherwise."""
    return "".join(MARK if flag else NO_MARK for flag in bin_values(flags, width, any))


def bin_values(values: Sequence[T], width: int, fold: Callable[[Sequence[T]], T]) -> list[T]:
    """Return at most `width` values, each folded from a few in a row."""
    size = max(1, math.ceil(len(values) / width))
    return [fold(values[first : first + size]) for first in range(0, len(values), size)]
