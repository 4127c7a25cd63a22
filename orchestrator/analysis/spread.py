"""Spread of a process's samples: five numbers for each process, as in a box plot."""

from dataclasses import dataclass

import numpy as np

from schemas.event import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The fastest sample, the quartiles and the slowest one, in nanoseconds per call."""

    low: float
    quarter: float
    median: float
    three_quarters: float
    high: float


def compute_spread(report: Report) -> Spread:
    """Compute the spread of one process's samples, disturbed ones included.

    Quartiles: definition 7 of Hyndman and Fan (1996).
    """
    times = np.array(report.samples_ns) / report.calls
    low, quarter, median, three_quarters, high = np.quantile(times, (0, 0.25, 0.5, 0.75, 1)).tolist()
    return Spread(low=low, quarter=quarter, median=median, three_quarters=three_quarters, high=high)
