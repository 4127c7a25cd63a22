"""Comparison of cells: the verdict on each pair, and the ranks that each cell may hold.

A score is the logarithm of seconds per call. Each block has one process of each cell. A ratio below one
means that `cell` takes less time than `baseline`.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations
from statistics import fmean
from typing import Final

from orchestrator.analysis.quality.comparability import Sampling, find_unlike_blocks, format_left_out_blocks
from orchestrator.analysis.statistics.intervals import Interval, hodges_lehmann, reject_by_holm, signed_rank_p
from orchestrator.analysis.statistics.looks import ALPHA

# Differences below this share are too small to act on.
MARGIN: Final = 0.02


class Verdict(StrEnum):
    """The verdict on a pair, as seen from `cell`."""

    FASTER = "FASTER"
    SLOWER = "SLOWER"
    DIFFERENT_BUT_SMALL = "DIFFERENT-BUT-SMALL"
    EQUIVALENT = "EQUIVALENT"
    UNRESOLVED = "UNRESOLVED"
    ESTIMATOR_DEPENDENT = "ESTIMATOR-DEPENDENT"


CLAIMS: Final = frozenset({Verdict.FASTER, Verdict.SLOWER, Verdict.DIFFERENT_BUT_SMALL})
_FLIPPED_VERDICTS: Final = {Verdict.FASTER: Verdict.SLOWER, Verdict.SLOWER: Verdict.FASTER}


@dataclass(frozen=True, slots=True)
class Scores:
    """Log seconds per call of one cell by block: the floor and the typical value of its process there.

    `sampling` describes the sampling of that process. A block without an entry may be compared with any other.
    """

    floor: Mapping[int, float]
    typical: Mapping[int, float]
    sampling: Mapping[int, Sampling] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The comparison of two cells over the blocks they share; ratios are time of `cell` over time of `baseline`.

    `ratio` is of floors and decides. `typical_ratio` can only withdraw a claim. `p` is exact and two-sided.
    `significant` is Holm's decision on it among all pairs compared together. `reason` names the blocks that were left
    out, and why; empty if there are none.
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
        """Return the half-width of the ratio's interval on the log scale: about 0.02 for plus or minus two per cent."""
        return math.log(self.ratio.high / self.ratio.low) / 2 if self.ratio.low > 0 else math.inf

    @property
    def claimed_faster(self) -> str | None:
        """Return the cell that is claimed to be faster, by any amount; None without a claim."""
        if self.verdict not in CLAIMS:
            return None
        return self.cell if self.ratio.estimate < 1 else self.baseline

    def flipped(self) -> "Comparison":
        """Return the same comparison with baseline and cell exchanged."""
        return Comparison(
            baseline=self.cell,
            cell=self.baseline,
            blocks=self.blocks,
            ratio=_invert_ratio(self.ratio),
            typical_ratio=_invert_ratio(self.typical_ratio),
            p=self.p,
            significant=self.significant,
            verdict=_FLIPPED_VERDICTS.get(self.verdict, self.verdict),
            reason=self.reason,
        )


def _invert_ratio(ratio: Interval) -> Interval:
    return Interval(1 / ratio.estimate, 1 / ratio.high, 1 / ratio.low if ratio.low > 0 else math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A cell's place: it may hold any rank from `best` to `worst`, and is indistinguishable from `tied_with`."""

    cell: str
    best: int
    worst: int
    tied_with: tuple[str, ...]


def compare_all_pairs(
    scores: Mapping[str, Scores], *, margin: float = MARGIN, alpha: float = ALPHA, barred: Collection[str] = ()
) -> tuple[Comparison, ...]:
    """Compare every pair of cells over their shared blocks, the earlier as baseline, as one family of tests (Holm).

    Blocks in which the two were sampled differently are left out, and `reason` explains it. No claim is made about
    `barred` cells: a disturbance may explain either direction.
    """
    left_out = {(a, b): find_unlike_blocks(scores[a].sampling, scores[b].sampling) for a, b in combinations(scores, 2)}
    floors = {(a, b): _subtract_scores(scores[a].floor, scores[b].floor, out) for (a, b), out in left_out.items()}
    p_values = [signed_rank_p(floor) for floor in floors.values()]
    found = []
    for (a, b), p, significant in zip(floors, p_values, reject_by_holm(p_values, alpha), strict=True):
        floor, out = floors[a, b], left_out[a, b]
        ratio = hodges_lehmann(floor, alpha)
        typical = hodges_lehmann(_subtract_scores(scores[a].typical, scores[b].typical, out), alpha)
        verdict = decide_verdict(
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
                reason=format_left_out_blocks(out),
            )
        )
    return tuple(found)


def _subtract_scores(
    baseline: Mapping[int, float], cell: Mapping[int, float], left_out: Collection[int]
) -> list[float]:
    return [cell[block] - baseline[block] for block in sorted((baseline.keys() & cell.keys()).difference(left_out))]


def decide_verdict(ratio: Interval, typical: Interval, *, significant: bool, margin: float, barred: bool) -> Verdict:
    """Decide the verdict from log ratios of time.

    A claim needs both Holm's decision and an interval without zero; the two differ only when there are ties. A claim
    is withdrawn if the typical estimate has the opposite sign, however wide its interval. This can cost a claim and
    never adds one. Without a claim, opposite signs are noise and no disagreement of the estimators.
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


def index_both_ways(comparisons: Sequence[Comparison]) -> dict[tuple[str, str], Comparison]:
    """Return each comparison under (baseline, cell) and, flipped, under (cell, baseline)."""
    flipped = [found.flipped() for found in comparisons]
    return {(found.baseline, found.cell): found for found in (*comparisons, *flipped)}


def compute_rank_ranges(cells: Collection[str], comparisons: Sequence[Comparison]) -> dict[str, tuple[int, int]]:
    """Return the best and worst rank open to each cell: 1 + cells claimed faster, and C - cells claimed slower.

    All ranges hold simultaneously, with the confidence of the family of tests. Only pairs within `cells` count.
    """
    faster, slower = dict.fromkeys(cells, 0), dict.fromkeys(cells, 0)
    for (baseline, cell), found in index_both_ways(comparisons).items():
        # Each pair appears in both directions, so testing one side counts every claim once.
        if found.claimed_faster == cell and {baseline, cell} <= faster.keys():
            slower[cell] += 1
            faster[baseline] += 1
    return {cell: (1 + faster[cell], len(cells) - slower[cell]) for cell in cells}


def compute_standings(cells: Collection[str], comparisons: Sequence[Comparison]) -> tuple[Standing, ...]:
    """Return the cells in order of their mean log ratio to the others, with the ranks open to each and its ties.

    The order is for display and makes no claim; `tied_with` does. Two cells tie if their ranks overlap and their own
    comparison does not tell them apart. With A before B and C tied to both, the ranks of A and B overlap.
    """
    pairs, open_ranks = index_both_ways(comparisons), compute_rank_ranges(cells, comparisons)

    def is_tied(a: str, b: str) -> bool:
        told_apart = (a, b) in pairs and pairs[a, b].claimed_faster is not None
        overlap = open_ranks[a][0] <= open_ranks[b][1] and open_ranks[b][0] <= open_ranks[a][1]
        return a != b and overlap and not told_apart

    # Ratios within blocks, not absolute times: those include what all cells of a block shared.
    order = sorted(cells, key=lambda cell: _mean_log_ratio(cell, cells, pairs))
    return tuple(
        Standing(
            cell=cell,
            best=open_ranks[cell][0],
            worst=open_ranks[cell][1],
            tied_with=tuple(other for other in order if is_tied(cell, other)),
        )
        for cell in order
    )


def _mean_log_ratio(cell: str, cells: Collection[str], pairs: Mapping[tuple[str, str], Comparison]) -> float:
    """Return the mean log ratio to the others: the least-squares scale of paired comparisons; infinity without any."""
    ratios = [pairs[other, cell].ratio.estimate for other in cells if (other, cell) in pairs]
    return fmean([math.log(ratio) for ratio in ratios if not math.isnan(ratio)] or [math.inf])
