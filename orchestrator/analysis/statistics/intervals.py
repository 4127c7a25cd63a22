"""Estimates, confidence intervals and tests.

Nothing here assumes normal data. The intervals and tests of differences are exact where the differences
are symmetric about one centre, which differences of exchangeable process effects are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Numbers: TypeAlias = Sequence[float] | Floats


# The logarithm of the largest float, rounded down: exponentials of larger numbers overflow.
LARGEST_LOG: Final = 709.0

# Chance at which MLPerf's early stopping accepts that a tail percentile is understated.
TAIL_DOUBT: Final = 0.01


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its confidence interval, whose ends are infinite if the data support none."""

    estimate: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Return half the distance between the ends, in the unit of the estimate."""
        return (self.high - self.low) / 2

    def exp(self) -> "Interval":
        """Return this interval of log ratios on the ratio scale. Ends may be infinite."""
        low, high = (math.exp(end) if end < LARGEST_LOG else math.inf for end in (self.low, self.high))
        return Interval(math.exp(self.estimate), low, high)


# The data support no estimate.
NO_INTERVAL: Final = Interval(math.nan, -math.inf, math.inf)


@lru_cache(maxsize=256)
def subset_sum_cdf(ranks: tuple[int, ...]) -> Floats:
    """Return P(sum of a random subset of `ranks` <= x) for x = 0 .. sum(ranks); a fair coin decides each rank."""
    law = np.ones(1)
    for rank in ranks:
        law = (np.pad(law, (0, rank)) + np.pad(law, (rank, 0))) / 2
    cumulative = np.cumsum(law)
    # The array is cached and shared: a caller that wrote to it would change every later result.
    cumulative.setflags(write=False)
    return cumulative


def signed_rank_cdf(k: int) -> Floats:
    """Return P(W+ <= x) for x = 0 .. k(k+1)/2, W+ Wilcoxon's signed-rank sum of `k` untied differences; read-only.

    Exact: the recursion of Wilcoxon, Katti and Wilcox (1963), with probabilities instead of counts.
    """
    return subset_sum_cdf(tuple(range(1, k + 1)))


def hodges_lehmann(differences: Numbers, alpha: float) -> Interval:
    """Estimate the centre of symmetry of `differences`, with its exact signed-rank interval at level 1 - `alpha`.

    The estimate is the median of the N = k(k+1)/2 Walsh averages (d_i + d_j)/2, i <= j. The interval runs
    from the (x+1)-th to the (N-x)-th of them, x the largest with P(W+ <= x) <= alpha/2. Without such an x,
    the ends are infinite. Without differences, the estimate is nan.
    Hodges and Lehmann (1963); Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3.2 and 3.3.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.size == 0:
        return NO_INTERVAL
    walsh = np.sort(list_walsh_averages(values))
    outside = int(np.searchsorted(signed_rank_cdf(values.size), alpha / 2, side="right"))
    return interval_from_ordered(walsh, outside, find_middle(walsh))


def list_walsh_averages(differences: Numbers) -> Floats:
    """Return the averages of all pairs of `differences`, each with itself as well."""
    values = np.asarray(differences, dtype=np.float64)
    averages: Floats = np.add.outer(values, values)[_index_upper_triangle(values.size)] / 2
    return averages


@lru_cache(maxsize=256)
def _index_upper_triangle(size: int) -> tuple[npt.NDArray[np.intp], ...]:
    """Return the rows and columns of a square array on and above its diagonal."""
    found = np.triu_indices(size)
    for each in found:
        each.setflags(write=False)  # as for the cached distributions
    return found


def interval_from_ordered(ordered: Floats, outside: int, estimate: float) -> Interval:
    """Return the interval that leaves fewer than `outside` of the `ordered` values beyond each of its ends."""
    if outside == 0:
        return Interval(estimate, -math.inf, math.inf)
    return Interval(estimate, float(ordered[outside - 1]), float(ordered[-outside]))


def signed_rank_p(differences: Numbers) -> float:
    """Return the exact two-sided p of the signed-rank test that `differences` are symmetric about zero.

    Ties share their mid-rank, and the distribution is that of these mid-ranks, so the level holds with ties.
    Zeros are ranked with the rest and then left out (Pratt 1959, JASA 54). Dropping them first can make a
    sample less significant when it moves away from zero. If all are zero, or there are none, p is 1.
    """
    positive, negative = rank_signs(differences)
    law = subset_sum_cdf(tuple(sorted((*positive, *negative))))
    return min(1.0, 2 * float(law[min(sum(positive), sum(negative))]))


def rank_signs(differences: Numbers) -> tuple[list[int], list[int]]:
    """Return the doubled ranks of the positive and of the negative `differences` by size, zeros ranked and left out."""
    values = np.asarray(differences, dtype=np.float64)
    sizes = np.abs(values)
    order = np.argsort(sizes)
    ordered = sizes[order]
    if (ordered[1:] > ordered[:-1]).all() and ordered.all():  # without ties and zeros, as nearly always
        places = 2 * (1 + np.arange(values.size))
        return places[values[order] > 0].tolist(), places[values[order] < 0].tolist()
    _, which, tied = np.unique(sizes, return_inverse=True, return_counts=True)
    # Mid-ranks are multiples of a half; doubled, they are the integers that the exact distribution needs.
    doubled_ranks = (2 * np.cumsum(tied) - tied + 1)[which]
    return doubled_ranks[values > 0].tolist(), doubled_ranks[values < 0].tolist()


def reject_by_holm(p_values: Sequence[float], alpha: float) -> tuple[bool, ...]:
    """Return which hypotheses are rejected, with a family-wise error rate of at most `alpha` (Holm 1979)."""
    rejected = [False] * len(p_values)
    for step, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        # Holm's procedure ends here: no larger p may be rejected, even below its own threshold.
        if p_values[index] > alpha / (len(p_values) - step):
            break
        rejected[index] = True
    return tuple(rejected)


def median_interval(values: Numbers, confidence: float = 0.95) -> Interval:
    """Return the median with a distribution-free interval between two order statistics, of at least `confidence`.

    Hahn and Meeker, Statistical Intervals, 5.2. Fewer than six values support no interval at 95 per cent.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    if ordered.size == 0:
        return NO_INTERVAL
    outside = count_outside_median(ordered.size, confidence)
    return interval_from_ordered(ordered, outside, find_middle(ordered))


@lru_cache(maxsize=1024)
def count_outside_median(size: int, confidence: float) -> int:
    """Return the number of values beyond each end of the median's interval, less one beyond which none lies."""
    from scipy.special import bdtr

    tail = bdtr(np.arange(size, dtype=np.float64), size, 0.5)
    return int(np.searchsorted(tail, (1 - confidence) / 2, side="right"))


def find_middle(ordered: Floats) -> float:
    """Return the median of ascending numbers."""
    return (float(ordered[(ordered.size - 1) // 2]) + float(ordered[ordered.size // 2])) / 2


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Return the share of `successes` with its exact binomial interval (Clopper and Pearson 1934)."""
    if not trials:
        return Interval(math.nan, 0.0, 1.0)
    from scipy.stats import binomtest

    ends = binomtest(successes, trials).proportion_ci(confidence, method="exact")
    return Interval(successes / trials, float(ends.low), float(ends.high))


def estimate_percentile(values: Numbers, q: float) -> float | None:
    """Return the `q`-th percentile, 50 <= q < 100; None if that tail needs more samples.

    A tail needs n samples with P(at most one of n lies beyond it) <= 1 %: 64 for p90, 662 for p99. That is
    the minimum of MLPerf's early stopping (mlcommons/inference, loadgen/early_stopping.cc and results.cc: one
    query over the latency, confidence 0.99, tolerance 0). The median is no tail: one sample is enough.
    Between order statistics: definition 8 of Hyndman and Fan (1996).

    Raises:
        ValueError: `q` is out of range.
    """
    if not 50 <= q < 100:
        raise ValueError(f"percentile {q} is out of range: give a number from 50 to below 100, such as 99 for p99")
    share, n = q / 100, len(values)
    at_most_one_beyond = share**n + n * (1 - share) * share ** (n - 1)
    if n == 0 or (q > 50 and at_most_one_beyond > TAIL_DOUBT):
        return None
    return float(np.quantile(values, share, method="median_unbiased"))
