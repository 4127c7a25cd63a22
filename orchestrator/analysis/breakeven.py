"""Break-even of compiled modes, and the best modes for a given number of calls.

At n calls the blocks give the ratio of two modes' total times, with its signed-rank interval. For large n it approaches
the ratio of times per call. Both ends have room for what disturbances can have cost. A mode breaks even where the ratio
falls below one and stays there. The lower end, the estimate and the upper end of the ratio cross one in turn. The
break-even's interval therefore holds the numbers of calls at which the totals are indistinguishable: the inversion of a
test (Fieller 1954, J. R. Stat. Soc. B 16), by ranks. A quotient of differences per block would be infinite or negative
wherever noise reverses a small difference.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from itertools import pairwise
from typing import Final

import numpy as np

from orchestrator.analysis.compare import Comparison, Scores, Verdict, compare_all_pairs
from orchestrator.analysis.costs.cost_curve import CostCurve, Start, TotalsOfCurves
from orchestrator.analysis.pairs import SIBLINGS, find_sibling_label
from orchestrator.analysis.results import Group
from orchestrator.analysis.standings import compute_rank_ranges
from orchestrator.analysis.statistics.intervals import Interval, hodges_lehmann
from orchestrator.analysis.statistics.looks import ALPHA
from schemas.job import Cell

NEVER: Final = math.inf
# The factor between numbers of calls at which totals are compared. An advantage between two of them goes unnoticed.
GRID_FACTOR: Final = 1.25

# A break-even beyond this counts as never: at a microsecond per call, it is thirty years away.
MOST_CALLS: Final = 10**15

ROUND_NUMBERS: Final = tuple(10**power for power in range(7))


class Payoff(StrEnum):
    """The claim about a compiled mode: faster once steady, so it pays; slower, so it never pays; or no claim.

    A mode that is slower once steady never pays, even if it is ahead for its first calls.
    """

    PAYS = "pays"
    NEVER = "never pays"
    OPEN = "not claimed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """The number of calls from which `mode` has a lower total time than `other`.

    One: from the first call on. Infinity: never. `calls` count from the finished models, `with_import` from before the
    frameworks were imported. `steady` compares times per call.
    """

    mode: str
    other: str
    calls: Interval
    with_import: Interval
    steady: Comparison

    def calls_from(self, start: Start) -> Interval:
        """Return the break-even that counts from this start of the clock."""
        return self.calls if start == "model" else self.with_import

    @property
    def payoff(self) -> Payoff:
        """Return the claim, which follows from the claim about the times per call."""
        return decide_payoff(self.steady, self.mode)

    @property
    def has_valid_interval(self) -> bool:
        """Return True if the intervals are valid: the two estimators agree."""
        return self.steady.verdict is not Verdict.ESTIMATOR_DEPENDENT


@dataclass(frozen=True, slots=True)
class BestModes:
    """The modes with the lowest total time for this number of calls; several if they are indistinguishable."""

    calls: int
    modes: tuple[str, ...]
    with_import: tuple[str, ...]


def find_break_evens(group: Group) -> tuple[BreakEven, ...]:
    """Compare each compiled mode with its sibling, and with the fastest other mode if that is a different one."""
    return tuple(
        compute_break_even(group, standing.cell, other)
        for standing in group.standings
        if is_compiled(group.result(standing.cell).cell)
        for other in find_rivals(group, standing.cell)
    )


def find_payoffs(group: Group) -> Iterator[tuple[str, Payoff]]:
    """Yield each compiled mode with the claim about it against its sibling, which needs no number of calls."""
    pairs = group.pairs
    for standing in group.standings:
        mode = standing.cell
        if is_compiled(group.result(mode).cell) and (steady := pairs.get((find_sibling(group, mode), mode))):
            yield mode, decide_payoff(steady, mode)


def decide_payoff(steady: Comparison, mode: str) -> Payoff:
    """Return the claim about a mode that follows from the comparison of times per call."""
    faster = steady.claimed_faster
    return Payoff.OPEN if faster is None else Payoff.PAYS if faster == mode else Payoff.NEVER


def is_compiled(cell: Cell) -> bool:
    """Return True if a cell's mode has a sibling to beat."""
    return (cell.framework, cell.mode) in SIBLINGS


def find_sibling(group: Group, mode: str, siblings: Mapping[tuple[str, str], str] = SIBLINGS) -> str:
    """Return the label of the mode that a compiled one has to beat, in the same framework and environment.

    Empty if the group lacks that mode.
    """
    return find_sibling_label({each.label: each.cell for each in group.results}, mode, siblings)


def find_rivals(group: Group, mode: str) -> list[str]:
    """Return the measured modes to compare a compiled mode with, its sibling first."""
    others = [standing.cell for standing in group.standings if standing.cell != mode]
    due = find_sibling(group, mode)
    return list(dict.fromkeys([other for other in others if other == due] + others[:1]))


def compute_break_even(group: Group, mode: str, other: str) -> BreakEven:
    """Compute the break-even of one mode of a group against another."""
    own, others = group.curves[mode], group.curves[other]
    pairs = tuple((own[block], others[block]) for block in sorted(own.keys() & others.keys()))
    return BreakEven(
        mode=mode,
        other=other,
        calls=calls_until_break_even(pairs, "model", group.alpha),
        with_import=calls_until_break_even(pairs, "import", group.alpha),
        steady=group.pairs[other, mode],
    )


@lru_cache(maxsize=1000)
def calls_until_break_even(
    pairs: tuple[tuple[CostCurve, CostCurve], ...], start: Start, alpha: float = ALPHA
) -> Interval:
    """Return the break-even of the first curves of these pairs against the second, one pair for each block.

    With too few pairs for an interval, it runs from one to never. Cached: it is slow, and tables and sentences need it.
    """
    if not pairs:
        return Interval(math.nan, 1, NEVER)

    owns, others = ([pair[side] for pair in pairs] for side in (0, 1))

    def make_ratio(above: Sequence[CostCurve], below: Sequence[CostCurve]) -> Callable[[float], Interval]:
        one, other = TotalsOfCurves.from_curves(above, start), TotalsOfCurves.from_curves(below, start)
        return cache(lambda calls: hodges_lehmann(np.log(one.total_ns(calls) / other.total_ns(calls)), alpha))

    measured = make_ratio(owns, others)
    lowest = make_ratio([each.least for each in owns], others)
    highest = make_ratio(owns, [each.least for each in others])
    return Interval(
        find_last_crossing(lambda calls: measured(calls).estimate),
        find_last_crossing(lambda calls: lowest(calls).low),
        find_last_crossing(lambda calls: highest(calls).high),
    )


def find_last_crossing(curve: Callable[[float], float]) -> float:
    """Return the least number of calls from which a curve stays below zero; never if it ends at zero or above."""
    if curve(NEVER) >= 0 or curve(MOST_CALLS) >= 0:
        return NEVER
    # From the end: an early lead that is lost again must not count as the break-even.
    for below, above in pairwise(reversed(make_call_grid())):
        if curve(above) >= 0:
            return bisect_crossing(curve, above, below)
    return 1


@cache
def make_call_grid() -> tuple[int, ...]:
    """Return increasing numbers of calls: each is the previous one times a constant factor, or plus one."""
    numbers = [1]
    while numbers[-1] < MOST_CALLS:
        numbers.append(min(MOST_CALLS, max(numbers[-1] + 1, int(numbers[-1] * GRID_FACTOR))))
    return tuple(numbers)


def bisect_crossing(curve: Callable[[float], float], above: int, below: int) -> int:
    """Bisect for the first number of calls at which a curve is below zero: it is so at `below`, not at `above`."""
    while below - above > 1:
        middle = (above + below) // 2
        above, below = (above, middle) if curve(middle) < 0 else (middle, below)
    return below


def find_best_modes(group: Group, numbers: Sequence[int] = ROUND_NUMBERS) -> Iterator[BestModes]:
    """Yield the best modes for each number of calls, if the group has at least two modes."""
    if len(group.curves) < 2:
        return
    for calls in numbers:
        yield BestModes(calls, find_lowest_totals(group, calls, "model"), find_lowest_totals(group, calls, "import"))


def find_lowest_totals(group: Group, calls: int, start: Start) -> tuple[str, ...]:
    """Return the modes that no other is claimed to beat in total time; all pairs are tested as one family."""
    scores = {label: score_totals(curves, calls, start) for label, curves in group.curves.items()}
    open_ranks = compute_rank_ranges(scores, compare_all_pairs(scores, alpha=group.alpha))
    return tuple(standing.cell for standing in group.standings if open_ranks[standing.cell][0] == 1)


def score_totals(curves: Mapping[int, CostCurve], calls: int, start: Start) -> Scores:
    """Return the log totals of one mode's processes by block, in place of its log times per call."""
    return Scores(
        floor={block: math.log(curve.floor_total_ns(calls, start)) for block, curve in curves.items()},
        typical={block: math.log(curve.typical_total_ns(calls, start)) for block, curve in curves.items()},
        least={block: math.log(curve.least.floor_total_ns(calls, start)) for block, curve in curves.items()},
    )
