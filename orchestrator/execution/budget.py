"""The budget of a sweep: the time that it may take, and whether another job still fits.

It counts from the first job on, with everything that the sweep starts: references, exports, jobs that fill caches,
calibration, retries and profiles. Creating environments comes before and does not count.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from schemas.job import Cell


@dataclass(slots=True)
class Budget:
    """The time that a sweep may take in seconds, on a clock that stands still while the sweep is paused.

    `estimate_s` estimates the duration of a cell's first job. `before_s` is what a resumed run has spent.
    """

    limit_s: float
    estimate_s: Callable[[Cell], float]
    clock: Callable[[], float]
    before_s: float = 0.0
    _began_s: float = 0.0
    _took_s: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _openings_s: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Start to count."""
        self._began_s = self.clock()

    @property
    def spent_s(self) -> float:
        """Return the time spent so far."""
        return self.before_s + self.clock() - self._began_s

    def note_job(self, cell: Cell, took_s: float) -> None:
        """Note the duration of a job: the next of the same cell is expected to take as long."""
        self._took_s[cell.id].append(took_s)

    def note_opening(self, took_s: float) -> None:
        """Note how long the templates of a block took to be ready."""
        self._openings_s.append(took_s)

    def forecast_opening_s(self) -> float:
        """Return the expected time until the templates of a block are ready; 0 before the first."""
        return statistics.median(self._openings_s) if self._openings_s else 0.0

    def forecast_s(self, cells: Iterable[Cell]) -> float:
        """Return the expected duration of one job of each of these cells, from their own jobs or an estimate."""
        # A median: one disturbed job must not keep a cell out of the rest of the sweep.
        return sum(
            statistics.median(self._took_s[cell.id]) if cell.id in self._took_s else self.estimate_s(cell)
            for cell in cells
        )

    def has_room(self, cells: Iterable[Cell], reserved_s: float = 0.0) -> bool:
        """Return whether a job of each of these cells still fits, beside the time reserved for something else."""
        return self.spent_s + self.forecast_s(cells) + reserved_s <= self.limit_s
