"""After how many calls a compiled mode has paid for what it took to prepare, and which mode is best for so many calls.

At n calls the blocks give the ratio of two modes' total times with its signed-rank interval, as they give the ratio of
their times per call, which is its limit. A mode has paid where that ratio falls below one and stays there; its lower
end, its estimate and its upper end do so one after the other. So the interval of the break-even holds the numbers at
which the totals cannot be told apart: the inversion of a test (Fieller 1954, J. R. Stat. Soc. B 16), by ranks.
A quotient of differences, block by block, would be infinite or negative wherever noise turns a small difference round.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from itertools import pairwise
from typing import Final

from orchestrator.analysis.compare import Comparison, Scores, Verdict, both_ways, compare_all, ranks
from orchestrator.analysis.curve import Curve, Start
from orchestrator.analysis.results import Group
from orchestrator.analysis.statistics import ALPHA, Interval, hodges_lehmann
from schemas.catalog import FRAMEWORKS
from schemas.job import Cell

NEVER: Final = math.inf
STEP: Final = 1.25
"""Totals are compared at numbers of calls so far apart; an advantage that comes and goes in between is not seen."""

MOST: Final = 10**15
"""A break-even beyond so many calls is none: at a microsecond each they take thirty years."""

ROUND_NUMBERS: Final = tuple(10**power for power in range(7))
SIBLINGS: Final = {(each.name, mode.name): mode.sibling for each in FRAMEWORKS for mode in each.modes if mode.sibling}
"""The mode that each compiled mode has to beat, by framework and mode."""


class Payoff(StrEnum):
    """What may be claimed: it is faster once steady and so pays at some time, it is slower and never does, or neither.

    Steadily slower is never for good, even of a mode that is ahead for its first calls.
    """

    PAYS = "pays"
    NEVER = "never pays"
    OPEN = "not claimed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """After how many calls `mode` has taken less time in all than `other`, and goes on doing so.

    One: from the first call on. Infinity: never. `calls` count from the finished models, `with_import` from before the
    frameworks were imported. `steady` compares their times per call; `barred`: one of them is too disturbed for claims.
    """

    mode: str
    other: str
    calls: Interval
    with_import: Interval
    steady: Comparison
    barred: bool

    @property
    def payoff(self) -> Payoff:
        """The claim, which is the claim about the times per call."""
        faster = self.steady.claimed_faster
        return Payoff.OPEN if faster is None else Payoff.PAYS if faster == self.mode else Payoff.NEVER

    @property
    def bounded(self) -> bool:
        """Whether the intervals mean anything: not if a cell is too disturbed, or the two estimators disagree."""
        return not self.barred and self.steady.verdict is not Verdict.ESTIMATOR_DEPENDENT


@dataclass(frozen=True, slots=True)
class Best:
    """The modes than which none is claimed to take less time for so many calls in all; several: nothing tells them."""

    calls: int
    modes: tuple[str, ...]
    with_import: tuple[str, ...]


def break_evens(group: Group) -> tuple[BreakEven, ...]:
    """Each compiled mode against its sibling, and against the fastest other mode if that is another one."""
    return tuple(
        break_even(group, standing.cell, other)
        for standing in group.standings
        if is_compiled(group.result(standing.cell).cell)
        for other in rivals(group, standing.cell)
    )


def is_compiled(cell: Cell) -> bool:
    """Whether a cell's mode has another to beat."""
    return (cell.framework, cell.mode) in SIBLINGS


def sibling(group: Group, mode: str, siblings: Mapping[tuple[str, str], str] = SIBLINGS) -> str:
    """The label of the mode that a compiled one has to beat, of the same framework in the same environment.

    Empty, if that is not in the group.
    """
    own = group.result(mode).cell
    due = own.framework, siblings.get((own.framework, own.mode)), own.environment, 0
    found = (
        each.label
        for each in group.results
        if (each.cell.framework, each.cell.mode, each.cell.environment, each.cell.replica) == due
    )
    return next(found, "")


def rivals(group: Group, mode: str) -> list[str]:
    """The measured modes that a compiled mode is set against, its sibling first."""
    others = [standing.cell for standing in group.standings if standing.cell != mode]
    due = sibling(group, mode)
    return list(dict.fromkeys([other for other in others if other == due] + others[:1]))


def break_even(group: Group, mode: str, other: str) -> BreakEven:
    """One mode of a group against another."""
    own, others = group.curves[mode], group.curves[other]
    pairs = tuple((own[block], others[block]) for block in sorted(own.keys() & others.keys()))
    return BreakEven(
        mode=mode,
        other=other,
        calls=calls_until_paid(pairs, "model"),
        with_import=calls_until_paid(pairs, "import"),
        steady=both_ways(group.comparisons)[other, mode],
        barred="C" in (group.result(mode).grade, group.result(other).grade),
    )


@lru_cache(maxsize=1000)
def calls_until_paid(pairs: tuple[tuple[Curve, Curve], ...], start: Start, alpha: float = ALPHA) -> Interval:
    """The break-even of the first curves of these pairs against the second, one pair for each block.

    Where there are too few pairs for an interval, it runs from one to never. Remembered, since it is costly and both
    the tables and the sentences ask.
    """
    if not pairs:
        return Interval(math.nan, 1, NEVER)
    known: dict[float, Interval] = {}

    def ratio(calls: float) -> Interval:
        if calls not in known:
            known[calls] = hodges_lehmann([log_ratio(own, other, calls, start) for own, other in pairs], alpha)
        return known[calls]

    return Interval(
        below_for_good(lambda calls: ratio(calls).estimate),
        below_for_good(lambda calls: ratio(calls).low),
        below_for_good(lambda calls: ratio(calls).high),
    )


def log_ratio(own: Curve, other: Curve, calls: float, start: Start) -> float:
    """Log ratio of two processes' totals at so many calls; at infinitely many, of their floors."""
    if math.isinf(calls):
        return math.log(own.floor_ns / other.floor_ns)
    return math.log(own.floor_total_ns(int(calls), start) / other.floor_total_ns(int(calls), start))


def below_for_good(curve: Callable[[float], float]) -> float:
    """The least number of calls from which on a curve stays below zero; never, if it is not there in the end."""
    if curve(NEVER) >= 0 or curve(MOST) >= 0:
        return NEVER
    for below, above in pairwise(reversed(steps())):
        if curve(above) >= 0:
            return first_below(curve, above, below)
    return 1


@cache
def steps() -> tuple[int, ...]:
    """Numbers of calls from one to the most, each `STEP` times the one before, or one more."""
    numbers = [1]
    while numbers[-1] < MOST:
        numbers.append(min(MOST, max(numbers[-1] + 1, int(numbers[-1] * STEP))))
    return tuple(numbers)


def first_below(curve: Callable[[float], float], above: int, below: int) -> int:
    """The number of calls at which a curve that is not below zero at `above` and is at `below` gets there."""
    while below - above > 1:
        middle = (above + below) // 2
        above, below = (above, middle) if curve(middle) < 0 else (middle, below)
    return below


def best(group: Group, numbers: Sequence[int] = ROUND_NUMBERS) -> Iterator[Best]:
    """The best modes for each of these numbers of calls, where there is something to choose from."""
    if len(group.curves) < 2:
        return
    for calls in numbers:
        yield Best(calls, quickest(group, calls, "model"), quickest(group, calls, "import"))


def quickest(group: Group, calls: int, start: Start) -> tuple[str, ...]:
    """The modes than which none is claimed to take less time for so many calls, all pairs tested as one family."""
    barred = {each.label for each in group.results if each.grade == "C"}
    scores = {label: totals(curves, calls, start) for label, curves in group.curves.items()}
    open_ranks = ranks(scores, compare_all(scores, barred=barred))
    return tuple(standing.cell for standing in group.standings if open_ranks[standing.cell][0] == 1)


def totals(curves: Mapping[int, Curve], calls: int, start: Start) -> Scores:
    """Log totals of one mode's processes, by block, in the place of its log times per call."""
    return Scores(
        floor={block: math.log(curve.floor_total_ns(calls, start)) for block, curve in curves.items()},
        typical={block: math.log(curve.typical_total_ns(calls, start)) for block, curve in curves.items()},
    )
