"""Comparison of cells: the verdict on each pair, and the ranks that each cell may hold.

A score is the logarithm of seconds per call. Each block has one process of each cell. A ratio below one
means that `cell` takes less time than `baseline`.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import combinations
from typing import Final, TypeAlias

from orchestrator.analysis.quality.comparability import Sampling, find_unlike_blocks, format_left_out_blocks
from orchestrator.analysis.statistics.intervals import Interval, hodges_lehmann, reject_by_holm, signed_rank_p
from orchestrator.analysis.statistics.looks import ALPHA
from orchestrator.analysis.statistics.order_statistics import expect_minimum
from orchestrator.analysis.undisturbed import EstimateRatio, Floors, RatioEstimate, bound_ratio

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

# The estimate of a ratio from log times in these blocks, which are in ascending order.
ChooseEstimate: TypeAlias = Callable[[Sequence[int]], EstimateRatio]


@dataclass(frozen=True, slots=True)
class Scores:
    """Log seconds per call of one cell by block: the floor and the typical value of its process there.

    `sampling` describes the sampling of that process. A block without an entry may be compared with any other. `least`
    is the floor less what disturbances can have cost; a block without an entry lost nothing. `samples` are the log
    times of all samples, ascending, and `undisturbed` is the number of those that no disturbance hit; floors of a block
    without an entry are compared as they are.
    """

    floor: Mapping[int, float]
    typical: Mapping[int, float]
    sampling: Mapping[int, Sampling] = field(default_factory=dict)
    least: Mapping[int, float] = field(default_factory=dict)
    samples: Mapping[int, Sequence[float]] = field(default_factory=dict)
    undisturbed: Mapping[int, int] = field(default_factory=dict)

    def take_floors(self, blocks: Collection[int]) -> Floors:
        """Return the floors of these blocks as they are."""
        found = {block: self.floor[block] for block in blocks}
        return Floors(found, found, found)

    def draw_floors(self, drawn: Mapping[int, int | None], left_to_other: Mapping[int, int | None]) -> Floors:
        """Return the floors of these blocks, each as expected of that number of its samples; None: of all.

        `left_to_other` are the numbers of undisturbed samples of the cell that it is compared with.
        """
        measured = {block: self._draw_floor(block, count) for block, count in drawn.items()}
        # The share that disturbances can have cost is that of the fastest sample.
        lost = {block: self.floor[block] - self.least.get(block, self.floor[block]) for block in drawn}
        return Floors(
            measured,
            {block: floor - lost[block] for block, floor in measured.items()},
            # Fewer samples have a slower fastest one. Rounding must not turn that around.
            {block: max(floor, self._draw_floor(block, left_to_other[block])) for block, floor in measured.items()},
        )

    def _draw_floor(self, block: int, drawn: int | None) -> float:
        samples = self.samples.get(block, ())
        return expect_minimum(samples, drawn) if drawn and drawn < len(samples) else self.floor[block]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The comparison of two cells over the blocks they share; ratios are time of `cell` over time of `baseline`.

    `ratio` is of floors. `undisturbed` is the same with room for what disturbances can have cost, and decides; None:
    nothing. `typical_ratio` can only withdraw a claim. `p` is exact and two-sided. `significant` is Holm's decision on
    it among all pairs compared together. `reason` names the blocks that were left out, and why; empty if there are
    none.
    """

    baseline: str
    cell: str
    blocks: int
    ratio: Interval
    typical_ratio: Interval
    p: float
    significant: bool
    verdict: Verdict
    undisturbed: Interval | None = None
    reason: str = ""

    @property
    def is_explained_by_disturbances(self) -> bool:
        """Return True if there is no claim because disturbances may be the cause of the difference."""
        differs = self.significant and not self.ratio.low <= 1 <= self.ratio.high
        return differs and self.verdict in (Verdict.UNRESOLVED, Verdict.EQUIVALENT)

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
            undisturbed=self.undisturbed and _invert_ratio(self.undisturbed),
            reason=self.reason,
        )


def _invert_ratio(ratio: Interval) -> Interval:
    return Interval(1 / ratio.estimate, 1 / ratio.high, 1 / ratio.low if ratio.low > 0 else math.inf)


def compare_all_pairs(
    scores: Mapping[str, Scores], *, margin: float = MARGIN, alpha: float = ALPHA
) -> tuple[Comparison, ...]:
    """Compare every pair of cells over their shared blocks, the earlier as baseline, as one family of tests (Holm)."""
    return compare_pairs(scores, list(combinations(scores, 2)), margin=margin, alpha=alpha)


def compare_pairs(
    scores: Mapping[str, Scores],
    pairs: Sequence[tuple[str, str]],
    *,
    margin: float = MARGIN,
    alpha: float = ALPHA,
    choose_estimate: ChooseEstimate | None = None,
) -> tuple[Comparison, ...]:
    """Compare these pairs of cells over their shared blocks, the first as baseline, as one family of tests (Holm).

    Blocks in which the two were sampled differently are left out, and `reason` explains it. `choose_estimate` is for
    blocks that are not all alike; without it, all blocks are of one node.
    """
    choose = choose_estimate or choose_for_one_node(alpha)
    found = [(a, b, estimate_pair(scores[a], scores[b], choose)) for a, b in pairs]
    return decide_family(found, margin=margin, alpha=alpha)


def compare_all_and_some(
    scores: Mapping[str, Scores], pairs: Sequence[tuple[str, str]], *, margin: float = MARGIN, alpha: float = ALPHA
) -> tuple[tuple[Comparison, ...], tuple[Comparison, ...]]:
    """Compare every pair of cells as one family of tests, and these pairs as another; each is estimated once."""
    choose = choose_for_one_node(alpha)
    found = {(a, b): estimate_pair(scores[a], scores[b], choose) for a, b in combinations(scores, 2)}
    either_way = found | {(b, a): estimate.exchange_cells() for (a, b), estimate in found.items()}
    every = decide_family([(a, b, estimate) for (a, b), estimate in found.items()], margin=margin, alpha=alpha)
    return every, decide_family([(a, b, either_way[a, b]) for a, b in pairs], margin=margin, alpha=alpha)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairEstimate:
    """The log ratio of two cells over the blocks that count, before any family of tests decides on it."""

    blocks: int
    measured: RatioEstimate
    bounded: RatioEstimate
    typical: Interval
    reason: str

    def exchange_cells(self) -> "PairEstimate":
        """Return the same estimate with the two cells exchanged."""
        measured = _negate_estimate(self.measured)
        return PairEstimate(
            blocks=self.blocks,
            measured=measured,
            # The same object, or an interval around no number would differ from itself.
            bounded=measured if self.bounded is self.measured else _negate_estimate(self.bounded),
            typical=_negate_logs(self.typical),
            reason=self.reason,
        )


def _negate_estimate(found: RatioEstimate) -> RatioEstimate:
    return RatioEstimate(_negate_logs(found.interval), found.p)


def _negate_logs(interval: Interval) -> Interval:
    return Interval(-interval.estimate, -interval.high, -interval.low)


def choose_for_one_node(alpha: float) -> ChooseEstimate:
    """Return the estimate of blocks that are all of one node, at a level of the family of tests that will decide."""
    estimate = partial(estimate_paired_ratio, alpha=alpha)
    return lambda _: estimate


def estimate_pair(baseline: Scores, cell: Scores, choose: ChooseEstimate) -> PairEstimate:
    """Estimate the log ratio of two cells."""
    left_out = find_unlike_blocks(baseline.sampling, cell.sampling)
    floors = pair_floors(baseline, cell, left_out)
    measured, bounded = bound_ratio(*floors, choose(sorted(floors[0].measured)))
    return PairEstimate(
        blocks=len(floors[0].measured),
        measured=measured,
        bounded=bounded,
        typical=_estimate_typical(baseline.typical, cell.typical, left_out, choose),
        reason=format_left_out_blocks(left_out),
    )


def decide_family(
    pairs: Sequence[tuple[str, str, PairEstimate]], *, margin: float, alpha: float
) -> tuple[Comparison, ...]:
    """Decide on these pairs, a baseline and a cell each with their estimate, as one family of tests (Holm)."""
    # A disturbance can weaken a difference and never strengthen it, so what withstands is significant as well.
    significant = reject_by_holm([found.measured.p for _, _, found in pairs], alpha)
    withstanding = reject_by_holm([found.bounded.p for _, _, found in pairs], alpha)
    return tuple(
        Comparison(
            baseline=a,
            cell=b,
            blocks=found.blocks,
            ratio=found.measured.interval.exp(),
            typical_ratio=found.typical.exp(),
            p=found.measured.p,
            significant=is_significant,
            verdict=decide_verdict(
                found.bounded.interval, found.typical, significant=withstands, margin=math.log1p(margin)
            ),
            undisturbed=None if found.bounded.interval == found.measured.interval else found.bounded.interval.exp(),
            reason=found.reason,
        )
        for (a, b, found), is_significant, withstands in zip(pairs, significant, withstanding, strict=True)
    )


def are_even(one: Scores, other: Scores) -> bool:
    """Return whether floors need no adjustment: disturbances cost nothing, and all have equally many samples."""
    counts = {*map(len, one.samples.values()), *map(len, other.samples.values())}
    left = {*one.undisturbed.values(), *other.undisturbed.values()}
    return len(counts) == 1 and left <= counts and one.least == one.floor and other.least == other.floor


def pair_floors(baseline: Scores, cell: Scores, left_out: Collection[int] = ()) -> tuple[Floors, Floors]:
    """Return the floors of two cells in the blocks that they share, in each block of the same number of samples."""
    shared = (baseline.floor.keys() & cell.floor.keys()).difference(left_out)
    if are_even(baseline, cell):
        return baseline.take_floors(shared), cell.take_floors(shared)
    drawn = {block: count_common_samples(baseline.samples.get(block), cell.samples.get(block)) for block in shared}
    return (
        baseline.draw_floors(drawn, {block: cell.undisturbed.get(block) for block in shared}),
        cell.draw_floors(drawn, {block: baseline.undisturbed.get(block) for block in shared}),
    )


def count_common_samples(*samples: Sequence[float] | None) -> int | None:
    """Return the smallest number of samples of these processes; None if it is unknown for any of them."""
    counts = [len(each) for each in samples if each]
    return min(counts) if len(counts) == len(samples) else None


def estimate_paired_ratio(baseline: Sequence[float], cell: Sequence[float], *, alpha: float) -> RatioEstimate:
    """Estimate a log ratio from log times in the same blocks."""
    differences = [after - before for before, after in zip(baseline, cell, strict=True)]
    return RatioEstimate(hodges_lehmann(differences, alpha), signed_rank_p(differences))


def _estimate_typical(
    baseline: Mapping[int, float], cell: Mapping[int, float], left_out: Collection[int], choose: ChooseEstimate
) -> Interval:
    blocks = sorted((baseline.keys() & cell.keys()).difference(left_out))
    return choose(blocks)([baseline[block] for block in blocks], [cell[block] for block in blocks]).interval


def decide_verdict(ratio: Interval, typical: Interval, *, significant: bool, margin: float) -> Verdict:
    """Decide the verdict from log ratios of time, with room for disturbances.

    A claim needs both Holm's decision and an interval without zero; the two differ only when there are ties. A claim
    is withdrawn if the typical estimate has the opposite sign, however wide its interval. This can cost a claim and
    never adds one. Without a claim, opposite signs are noise and no disagreement of the estimators.
    """
    if not significant or ratio.low <= 0 <= ratio.high:
        return Verdict.EQUIVALENT if -margin < ratio.low and ratio.high < margin else Verdict.UNRESOLVED
    if ratio.estimate * typical.estimate < 0:
        return Verdict.ESTIMATOR_DEPENDENT
    if abs(ratio.estimate) < margin:
        return Verdict.DIFFERENT_BUT_SMALL
    return Verdict.FASTER if ratio.estimate < 0 else Verdict.SLOWER


def index_both_ways(comparisons: Sequence[Comparison]) -> dict[tuple[str, str], Comparison]:
    """Return each comparison under (baseline, cell) and, flipped, under (cell, baseline)."""
    flipped = [found.flipped() for found in comparisons]
    return {(found.baseline, found.cell): found for found in (*comparisons, *flipped)}
