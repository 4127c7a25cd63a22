"""Signed-rank test and centre of differences that were taken in several strata, such as blocks on several nodes.

Differences are ranked within their stratum only, and the statistic is the sum of the strata's signed-rank sums. A fair
coin decides the sign of each rank in every stratum, so the exact distribution of the sum is that of all ranks together.
With one stratum, everything equals the signed-rank test of `intervals.py`.
Wilcoxon (1945); van Elteren (1960) for sums of rank statistics over strata.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from orchestrator.analysis.statistics.intervals import (
    NO_INTERVAL,
    Floats,
    Interval,
    Numbers,
    interval_from_ordered,
    list_walsh_averages,
    rank_signs,
    subset_sum_cdf,
)

# With more differences than this in several strata, a normal approximation replaces the exact distribution.
LARGEST_EXACT: Final = 256


def stratified_signed_rank_cdf(sizes: Sequence[int]) -> Floats:
    """Return P(sum of W+ <= x) for x = 0 .. sum of k(k+1)/2, over strata of these numbers of untied differences."""
    ranks = sorted(rank for size in sizes for rank in range(1, size + 1))
    if is_approximated(sizes):
        return _normal_cdf(np.arange(sum(ranks) + 1, dtype=np.float64), np.asarray(ranks, dtype=np.float64))
    return subset_sum_cdf(tuple(ranks))


def is_approximated(sizes: Sequence[int]) -> bool:
    """Return True if strata of these numbers of differences are too large together for the exact distribution."""
    return len(sizes) > 1 and sum(sizes) > LARGEST_EXACT


def stratified_signed_rank_p(strata: Sequence[Numbers]) -> float:
    """Return the two-sided p of the test that the differences of every stratum are symmetric about zero.

    Ties and zeros are treated within their stratum as `signed_rank_p` treats them.
    """
    ranked = [rank_signs(differences) for differences in strata]
    doubled = sorted(rank for positive, negative in ranked for rank in (*positive, *negative))
    least = min(sum(sum(positive) for positive, _ in ranked), sum(sum(negative) for _, negative in ranked))
    if doubled and is_approximated([len(differences) for differences in strata if len(differences)]):
        halves = np.asarray(doubled, dtype=np.float64) / 2
        return min(1.0, 2 * float(_normal_cdf(np.array([least / 2]), halves)[0]))
    return min(1.0, 2 * float(subset_sum_cdf(tuple(doubled))[least]))


def stratified_hodges_lehmann(strata: Sequence[Numbers], alpha: float) -> Interval:
    """Estimate the common centre of the differences of several strata, with its interval at level 1 - `alpha`.

    The estimate is the median of the Walsh averages of all strata; no average is of two strata. The number of averages
    above a centre is the statistic of the test there. So the interval runs from the (x+1)-th to the (N-x)-th of them, x
    the largest with P(sum of W+ <= x) <= alpha/2.
    """
    filled = [values for values in strata if len(values)]
    if not filled:
        return NO_INTERVAL
    walsh = np.sort(np.concatenate([list_walsh_averages(values) for values in filled]))
    cdf = stratified_signed_rank_cdf([len(values) for values in filled])
    outside = int(np.searchsorted(cdf, alpha / 2, side="right"))
    middle = float(walsh[(walsh.size - 1) // 2] + walsh[walsh.size // 2]) / 2
    return interval_from_ordered(walsh, outside, middle)


def _normal_cdf(sums: Floats, ranks: Floats) -> Floats:
    """Return the normal approximation of P(sum of a random subset of `ranks` <= x), with a continuity correction."""
    from scipy.special import ndtr

    deviation = math.sqrt(float(np.square(ranks).sum())) / 2
    law: Floats = ndtr((sums + 0.5 - float(ranks.sum()) / 2) / deviation)
    return law
