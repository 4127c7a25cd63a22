"""Rank-sum test and shift of two independent samples of any distribution.

Intervals and tests are exact if the two distributions differ by a shift alone. Wilcoxon (1945), Mann and Whitney
(1947), Hodges and Lehmann (1963); Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, chapter 4.
"""

import math
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from orchestrator.analysis.statistics.intervals import NO_INTERVAL, Floats, Interval, Numbers, interval_from_ordered

# With more values than this in both samples together, a normal approximation replaces the exact distribution.
LARGEST_EXACT: Final = 128


def rank_sum_cdf(m: int, n: int) -> Floats:
    """Return P(U <= u) for u = 0 .. mn, U the pairs in which the one of n untied values is larger; read-only."""
    if m + n > LARGEST_EXACT:
        return _normal_cdf(m * n, m * n * (m + n + 1) / 12)
    return _draw_sum_cdf(tuple(range(1, m + n + 1)), n)[n * (n + 1) // 2 :]


def hodges_lehmann_shift(one: Numbers, other: Numbers, alpha: float) -> Interval:
    """Estimate the shift from `one` to `other`, with its exact rank-sum interval at level 1 - `alpha`.

    The estimate is the median of all mn differences. The interval runs from the (x+1)-th to the (mn-x)-th of them, x
    the largest with P(U <= x) <= alpha/2. Without such an x, the ends are infinite. Without values, the estimate is
    nan.
    """
    before, after = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    differences = np.sort(np.subtract.outer(after, before), axis=None)
    if differences.size == 0:
        return NO_INTERVAL
    outside = int(np.searchsorted(rank_sum_cdf(before.size, after.size), alpha / 2, side="right"))
    return interval_from_ordered(differences, outside, float(np.median(differences)))


def rank_sum_p(one: Numbers, other: Numbers) -> float:
    """Return the exact two-sided p of the rank-sum test that both samples have the same distribution.

    Ties share their mid-rank, and the distribution is that of these mid-ranks, so the level holds with ties.
    """
    together = np.concatenate([np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)])
    if not len(one) or not len(other):
        return 1.0
    _, which, tied = np.unique(together, return_inverse=True, return_counts=True)
    # Mid-ranks are multiples of a half; doubled, they are the integers that the exact distribution needs.
    doubled = (2 * np.cumsum(tied) - tied + 1)[which]
    first, second = doubled[: len(one)], doubled[len(one) :]
    if together.size > LARGEST_EXACT:
        return _normal_p(first / 2, second / 2)
    return min(1.0, 2 * min(_probability_at_most(first, doubled), _probability_at_most(second, doubled)))


def _probability_at_most(drawn: npt.NDArray[np.intp], ranks: npt.NDArray[np.intp]) -> float:
    """Return P(a draw of as many of these ranks has a sum no greater than the drawn ones)."""
    return float(_draw_sum_cdf(tuple(sorted(ranks.tolist())), drawn.size)[drawn.sum()])


@lru_cache(maxsize=256)
def _draw_sum_cdf(ranks: tuple[int, ...], drawn: int) -> Floats:
    """Return P(sum <= x) of this many ranks drawn uniformly without replacement, for x = 0 .. the greatest sum."""
    ways = np.zeros((drawn + 1, sum(sorted(ranks)[-drawn:]) + 1))
    ways[0, 0] = 1
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, :-rank].copy()
    law: Floats = np.cumsum(ways[drawn]) / math.comb(len(ranks), drawn)
    # The cached array is shared, so a caller that wrote to it would change later results.
    law.setflags(write=False)
    return law


def _normal_cdf(most: int, variance: float) -> Floats:
    from scipy.special import ndtr

    law: Floats = ndtr((np.arange(most + 1) + 0.5 - most / 2) / math.sqrt(variance))
    return law


def _normal_p(one: Floats, other: Floats) -> float:
    """Return the two-sided p of these ranks by the normal approximation, with its variance for tied ranks."""
    from scipy.special import ndtr

    ranks = np.concatenate([one, other])
    deviation = math.sqrt(one.size * other.size / ranks.size * float(ranks.var(ddof=1)))
    away = abs(float(other.sum()) - other.size * float(ranks.mean()))
    return 1.0 if deviation == 0 else min(1.0, 2 * float(ndtr(-(away - 0.5) / deviation)))
