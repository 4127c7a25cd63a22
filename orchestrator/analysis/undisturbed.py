"""The ratio of two cells without their disturbances: the interval that holds it, whatever the disturbances cost.

The floor of a process lies between its fastest sample and that sample less what disturbances can have cost. A
disturbance explains a difference only if its removal removes the difference. So the lower end of the interval takes one
cell as if it had lost the most and the other as if it had lost nothing, and the upper end the reverse.

Disturbances also leave fewer samples, and the fastest of a few is slower than the fastest of many. So the cell that
lost nothing is taken at the expected floor of as many samples as the other has undisturbed ones.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from orchestrator.analysis.statistics.intervals import Interval

Logs: TypeAlias = Mapping[int, float]


@dataclass(frozen=True, slots=True)
class RatioEstimate:
    """A log ratio with its interval, and the p of no difference."""

    interval: Interval
    p: float


@dataclass(frozen=True, slots=True)
class Floors:
    """Log floors of one cell's processes by block: as measured, and less what disturbances can have cost.

    `most` is the floor expected of as many samples as the other cell of a pair has undisturbed ones.
    """

    measured: Logs
    least: Logs
    most: Logs

    @property
    def is_certain(self) -> bool:
        """Return True if disturbances changed nothing."""
        return self.least == self.measured == self.most


EstimateRatio: TypeAlias = Callable[[Sequence[float], Sequence[float]], RatioEstimate]


def bound_ratio(baseline: Floors, cell: Floors, estimate: EstimateRatio) -> tuple[RatioEstimate, RatioEstimate]:
    """Return the log ratio of two cells as measured, and the same with room for their disturbances.

    Both have the same estimate. The second p is that of the slower cell at its least and the faster at its most; it is
    1 if that reverses the difference. `estimate` takes the logs of the baseline and of the cell, by block.
    """
    measured = estimate(list_logs(baseline.measured), list_logs(cell.measured))
    if baseline.is_certain and cell.is_certain:
        return measured, measured
    lowest = estimate(list_logs(baseline.most), list_logs(cell.least))
    highest = estimate(list_logs(baseline.least), list_logs(cell.most))
    found = measured.interval.estimate
    nearest = lowest if found > 0 else highest
    stays = nearest.interval.estimate * found > 0
    # Of a mean over nodes, processes less their disturbances may spread less, and give a shorter interval.
    low = min(measured.interval.low, lowest.interval.low)
    high = max(measured.interval.high, highest.interval.high)
    return measured, RatioEstimate(Interval(found, low, high), max(measured.p, nearest.p) if stays else 1.0)


def list_logs(logs: Logs) -> list[float]:
    """Return the values in the order of the blocks."""
    return [logs[block] for block in sorted(logs)]
