"""Cost of inputs of a new shape: the first call at each, and the number of compilations. Pure."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.analysis.statistics.intervals import Interval, median_interval
from schemas.event import NewShape

# A first call at a new shape that takes longer than the next one by this factor did more than compute.
COSTLY_RATIO = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewShapes:
    """The median first call at a new shape, and the median next call there, over a cell's processes, in nanoseconds.

    Each process met `shapes` new shapes, and compiled `compilations` times for them; None: the framework does not count
    compilations. `total_ns` is the sum of these first calls. `later_ns` has no estimate if every call changes weights.
    """

    shapes: int
    first_ns: Interval
    later_ns: Interval
    total_ns: Interval
    compilations: int | None

    @property
    def is_costly(self) -> bool:
        """Return True if a new shape is known to cost more than the call itself."""
        return bool(self.compilations) or self.first_ns.estimate > COSTLY_RATIO * self.later_ns.estimate


def summarise_new_shapes(found: Iterable[Sequence[NewShape]]) -> NewShapes | None:
    """Summarise the new shapes that each of a cell's processes met; None if none did."""
    seen = [each for each in found if each]
    if not seen:
        return None
    firsts, seconds = zip(*map(list_calls_ns, seen), strict=True)
    counts = [count for count in map(count_compilations, seen) if count is not None]
    return NewShapes(
        shapes=max(map(len, seen)),
        first_ns=median_interval([statistics.median(each) for each in firsts]),
        later_ns=median_interval([statistics.median(each) for each in seconds if each]),
        total_ns=median_interval(list(map(sum, firsts))),
        compilations=statistics.median_high(counts) if counts else None,
    )


def list_calls_ns(notes: Sequence[NewShape]) -> tuple[list[int], list[int]]:
    """Return the first call at each shape, and the second at each that had one."""
    seconds = [note.second_ns for note in notes if note.second_ns is not None]
    return [note.first_ns for note in notes], seconds


def count_compilations(notes: Sequence[NewShape]) -> int | None:
    """Return the compilations that new shapes caused in one process; None where they are not counted."""
    counted = [note.compilations for note in notes if note.compilations is not None]
    return sum(counted) if counted else None
