"""Cells against each other: what can be claimed about each pair, and which ranks each cell may hold.

A score is the logarithm of seconds per call; block by block, one process of each cell. A ratio below one
means that `cell` takes less time than `baseline`.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations
from statistics import fmean
from typing import Final

from orchestrator.analysis.pairing import Sampling, told, unlike
from orchestrator.analysis.statistics import ALPHA, LOOKS, Interval, blocks_needed, hodges_lehmann, holm, signed_rank_p

MARGIN: Final = 0.02
"""Differences below this share are too small to act on."""


class Verdict(StrEnum):
    """The answer to: is `cell` faster than `baseline`?"""

    FASTER = "FASTER"
    SLOWER = "SLOWER"
    DIFFERENT_BUT_SMALL = "DIFFERENT-BUT-SMALL"
    EQUIVALENT = "EQUIVALENT"
    UNRESOLVED = "UNRESOLVED"
    ESTIMATOR_DEPENDENT = "ESTIMATOR-DEPENDENT"


CLAIMS: Final = frozenset({Verdict.FASTER, Verdict.SLOWER, Verdict.DIFFERENT_BUT_SMALL})
_SEEN_FROM_THE_OTHER_SIDE: Final = {Verdict.FASTER: Verdict.SLOWER, Verdict.SLOWER: Verdict.FASTER}


@dataclass(frozen=True, slots=True)
class Scores:
    """Log seconds per call of one cell, by block: the floor and the typical value of its process there.

    `sampling` says how that process was sampled; where it says nothing, like any other.
    """

    floor: Mapping[int, float]
    typical: Mapping[int, float]
    sampling: Mapping[int, Sampling] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What the blocks that two cells share say about them; ratios are time of `cell` over time of `baseline`.

    `ratio` is of floors and decides; `typical_ratio` can only withdraw. `p` is exact and two-sided;
    `significant` is what Holm leaves of it among all the pairs compared together. `reason` says which of the blocks
    were left out, and why; empty: none were.
    """

    baseline: str
    cell: str
    blocks: int
    ratio: Interval
    typical_ratio: Interval
    p: float
    significant: bool
    verdict: Verdict
    reason: str = ""

    @property
    def log_half_width(self) -> float:
        """Half width of the ratio's interval on the log scale: near 0.02 for plus or minus two per cent."""
        return math.log(self.ratio.high / self.ratio.low) / 2 if self.ratio.low > 0 else math.inf

    @property
    def claimed_faster(self) -> str | None:
        """The cell that the verdict holds to be faster, by however little; None where it holds neither."""
        if self.verdict not in CLAIMS:
            return None
        return self.cell if self.ratio.estimate < 1 else self.baseline

    def flipped(self) -> "Comparison":
        """The same finding with baseline and cell exchanged."""
        return Comparison(
            baseline=self.cell,
            cell=self.baseline,
            blocks=self.blocks,
            ratio=_reciprocal(self.ratio),
            typical_ratio=_reciprocal(self.typical_ratio),
            p=self.p,
            significant=self.significant,
            verdict=_SEEN_FROM_THE_OTHER_SIDE.get(self.verdict, self.verdict),
            reason=self.reason,
        )


def _reciprocal(ratio: Interval) -> Interval:
    return Interval(1 / ratio.estimate, 1 / ratio.high, 1 / ratio.low if ratio.low > 0 else math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A cell's place: any rank from `best` to `worst` may be its own; from `tied_with` it cannot be told."""

    cell: str
    best: int
    worst: int
    tied_with: tuple[str, ...]


def compare_all(
    scores: Mapping[str, Scores], *, margin: float = MARGIN, alpha: float = ALPHA, barred: Collection[str] = ()
) -> tuple[Comparison, ...]:
    """Every pair of cells over the blocks both have, earlier one as baseline, tested as one family (Holm).

    Blocks in which the two were not sampled alike are left out, with the reason in words. `barred` cells are too
    disturbed to be claimed faster; nor are they claimed slower: the disturbance may be why.
    """
    left_out = {(a, b): unlike(scores[a].sampling, scores[b].sampling) for a, b in combinations(scores, 2)}
    floors = {(a, b): _differences(scores[a].floor, scores[b].floor, out) for (a, b), out in left_out.items()}
    p_values = [signed_rank_p(floor) for floor in floors.values()]
    found = []
    for (a, b), p, significant in zip(floors, p_values, holm(p_values, alpha), strict=True):
        floor, out = floors[a, b], left_out[a, b]
        ratio = hodges_lehmann(floor, alpha)
        typical = hodges_lehmann(_differences(scores[a].typical, scores[b].typical, out), alpha)
        verdict = verdict_of(
            ratio, typical, significant=significant, margin=math.log1p(margin), barred=not {a, b}.isdisjoint(barred)
        )
        found.append(
            Comparison(
                baseline=a,
                cell=b,
                blocks=len(floor),
                ratio=ratio.exp(),
                typical_ratio=typical.exp(),
                p=p,
                significant=significant,
                verdict=verdict,
                reason=told(out),
            )
        )
    return tuple(found)


def _differences(baseline: Mapping[int, float], cell: Mapping[int, float], left_out: Collection[int]) -> list[float]:
    return [cell[block] - baseline[block] for block in sorted((baseline.keys() & cell.keys()).difference(left_out))]


def verdict_of(ratio: Interval, typical: Interval, *, significant: bool, margin: float, barred: bool) -> Verdict:
    """Verdict from log ratios of time.

    A claim needs both Holm's flag and an interval without zero; they part company only over ties. It is
    withdrawn where the typical estimate has the opposite sign, however wide that interval: this can cost a
    claim and never makes one. Where nothing is claimed the signs are noise, and two estimators that differ
    in noise do not disagree.
    """
    if not significant or ratio.low <= 0 <= ratio.high:
        return Verdict.EQUIVALENT if -margin < ratio.low and ratio.high < margin else Verdict.UNRESOLVED
    if ratio.estimate * typical.estimate < 0:
        return Verdict.ESTIMATOR_DEPENDENT
    if barred:
        return Verdict.UNRESOLVED
    if abs(ratio.estimate) < margin:
        return Verdict.DIFFERENT_BUT_SMALL
    return Verdict.FASTER if ratio.estimate < 0 else Verdict.SLOWER


def both_ways(comparisons: Sequence[Comparison]) -> dict[tuple[str, str], Comparison]:
    """Each comparison under (baseline, cell) and, flipped, under (cell, baseline)."""
    flipped = [found.flipped() for found in comparisons]
    return {(found.baseline, found.cell): found for found in (*comparisons, *flipped)}


def ranks(cells: Collection[str], comparisons: Sequence[Comparison]) -> dict[str, tuple[int, int]]:
    """Best and worst rank open to each cell: 1 + how many are claimed faster, and C - how many slower.

    All of them hold at once, with the confidence of the family of tests. Only pairs within `cells` count.
    """
    faster, slower = dict.fromkeys(cells, 0), dict.fromkeys(cells, 0)
    for (baseline, cell), found in both_ways(comparisons).items():
        if found.claimed_faster == cell and {baseline, cell} <= faster.keys():
            slower[cell] += 1
            faster[baseline] += 1
    return {cell: (1 + faster[cell], len(cells) - slower[cell]) for cell in cells}


def standings(cells: Collection[str], comparisons: Sequence[Comparison]) -> tuple[Standing, ...]:
    """Cells in order of their mean log ratio to the others, with the ranks open to each and its ties.

    The order is for the eye and claims nothing: `tied_with` does. Two cells tie where their ranks overlap,
    unless they themselves were told apart: A before B, with C tied to both, leaves ranks that overlap.
    """
    pairs, open_ranks = both_ways(comparisons), ranks(cells, comparisons)

    def tied(a: str, b: str) -> bool:
        told_apart = (a, b) in pairs and pairs[a, b].claimed_faster is not None
        overlap = open_ranks[a][0] <= open_ranks[b][1] and open_ranks[b][0] <= open_ranks[a][1]
        return a != b and overlap and not told_apart

    order = sorted(cells, key=lambda cell: _place(cell, cells, pairs))
    return tuple(
        Standing(
            cell=cell,
            best=open_ranks[cell][0],
            worst=open_ranks[cell][1],
            tied_with=tuple(other for other in order if tied(cell, other)),
        )
        for cell in order
    )


def _place(cell: str, cells: Collection[str], pairs: Mapping[tuple[str, str], Comparison]) -> float:
    """Mean log ratio to the others, the least-squares scale of paired comparisons; without any, last."""
    ratios = [pairs[other, cell].ratio.estimate for other in cells if (other, cell) in pairs]
    return fmean([math.log(ratio) for ratio in ratios if not math.isnan(ratio)] or [math.inf])


def half_width_reached(comparisons: Sequence[Comparison], target: float, *, baseline: str | None = None) -> bool:
    """Whether every ratio (to `baseline`, if given) has a half width of at most `target` on the log scale."""
    return all(
        found.log_half_width <= target
        for found in comparisons
        if baseline is None or baseline in (found.baseline, found.cell)
    )


def should_stop(
    k: int, comparisons: Sequence[Comparison], target: float, *, baseline: str | None = None, alpha: float = ALPHA
) -> bool:
    """Whether a sweep may end after `k` blocks: at a look where intervals are narrow enough, or at the last.

    Significance plays no part: stopping on it would make false claims common. A look too early for so many
    pairs to reach significance at all is not one.
    """
    if k >= LOOKS[-1]:
        return True
    if k not in LOOKS or k < blocks_needed(len(comparisons), alpha):
        return False
    return half_width_reached(comparisons, target, baseline=baseline)
