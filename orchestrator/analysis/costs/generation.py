"""The calls of a cell's loops over its processes, by position. Pure; in nanoseconds and bytes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.analysis.derivation.generation import LoopCalls
from orchestrator.analysis.statistics.intervals import Interval, median_interval


@dataclass(frozen=True, slots=True)
class Generation:
    """The time of a call by its position in the loop, from 1, and the memory that a loop needs.

    `growth` is the time of the last call over that of the second, in the same process: 1 where a growing state costs
    nothing.
    """

    calls: int
    call_ns: Mapping[int, Interval]
    growth: Interval
    kept: Interval


def summarise_generation(found: Iterable[LoopCalls | None]) -> Generation | None:
    """Summarise the loops of a cell's processes; None if its calls are no loops."""
    loops = [each for each in found if each is not None]
    if not loops:
        return None
    calls = len(loops[0].fastest_ns)
    return Generation(
        calls=calls,
        call_ns={
            place: median_interval([each.fastest_ns[place - 1] for each in loops]) for place in list_positions(calls)
        },
        growth=median_interval([each.fastest_ns[-1] / each.fastest_ns[1] for each in loops]),
        kept=median_interval([each.kept for each in loops if each.kept is not None]),
    )


def list_positions(calls: int) -> list[int]:
    """Return the positions that are shown of a loop: the first, the second, the middle and the last."""
    return sorted({1, 2, max(2, calls // 2), calls})
