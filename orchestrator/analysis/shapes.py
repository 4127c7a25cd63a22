"""What inputs of a new shape cost a mode: the first call at each, and how often it compiles for one. Pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.analysis.statistics import Interval, median_interval
from schemas.event import NewShape, Report

DEARER = 3.0
"""A first call at a new shape that takes so many times as long as the next one did more than compute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewShapes:
    """Over a cell's processes: the median first call at a new shape, and the median next call there, in nanoseconds.

    `shapes` came anew to each process, and `compilations` for them; None: the framework does not count. `total_ns` is
    what all these first calls took together. `later_ns` has no estimate where weights move with each call.
    """

    shapes: int
    first_ns: Interval
    later_ns: Interval
    total_ns: Interval
    compilations: int | None

    @property
    def dear(self) -> bool:
        """Whether a new shape costs more than the call itself, as far as that is known."""
        return bool(self.compilations) or self.first_ns.estimate > DEARER * self.later_ns.estimate


def new_shapes(reports: Sequence[Report]) -> NewShapes | None:
    """Of one cell's reports. None where no new shape ever came."""
    seen = [report.new_shapes for report in reports if report.new_shapes]
    if not seen:
        return None
    counts = [count for notes in seen if (count := compilations(notes)) is not None]
    return NewShapes(
        shapes=max(map(len, seen)),
        first_ns=median_interval([statistics.median(note.first_ns for note in notes) for notes in seen]),
        later_ns=median_interval([statistics.median(later) for notes in seen if (later := laters(notes))]),
        total_ns=median_interval([sum(note.first_ns for note in notes) for notes in seen]),
        compilations=statistics.median_high(counts) if counts else None,
    )


def laters(notes: Sequence[NewShape]) -> list[int]:
    """The next calls at each shape, as far as there were any."""
    return [note.second_ns for note in notes if note.second_ns is not None]


def compilations(notes: Sequence[NewShape]) -> int | None:
    """All compilations that new shapes caused in one process; None where they are not counted."""
    counted = [note.compilations for note in notes if note.compilations is not None]
    return sum(counted) if counted else None
