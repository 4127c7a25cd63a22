"""Random effects: the mean of estimates that differ by more than their errors, their spread, and the next one.

Each estimate is normal around an effect with a known standard error, and effects are normal around their mean.

- Paule and Mandel (1982), J. Res. Natl. Bur. Stand. 87: the spread of the effects.
- Hartung and Knapp (2001), Stat. Med. 20: the interval of the mean by Student's law.
- Röver, Knapp and Friede (2015), BMC Med. Res. Methodol. 15: it is never narrower than the errors alone would make it.
- Viechtbauer (2007), Stat. Med. 26: the interval of the spread, by the profile of Q.
- Higgins, Thompson and Spiegelhalter (2009), J. R. Stat. Soc. A 172: the prediction interval.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from orchestrator.analysis.statistics.intervals import Floats, Interval, Numbers

# No clock tells two logs of times apart that differ by less, so no error of an estimate is smaller.
LEAST_ERROR: Final = 1e-6

# Newton's steps towards the spread. A step about doubles a variance that is far too small, so forty are plenty.
MOST_STEPS: Final = 100


@dataclass(frozen=True, slots=True)
class RandomEffects:
    """The mean of the effects, the p of its being zero, their standard deviation, and an interval for the next one."""

    mean: Interval
    p: float
    spread: Interval
    following: Interval


def combine_effects(estimates: Numbers, errors: Numbers, alpha: float) -> RandomEffects:
    """Return the random effects behind at least two estimates with these standard errors, at level 1 - `alpha`.

    Two estimates leave no degree of freedom for the next effect, whose interval is then infinite.

    Raises:
        ValueError: there are fewer than two estimates, or their number is not that of the errors.
    """
    from scipy.special import stdtr, stdtrit

    count = len(estimates)
    if count < 2 or count != len(errors):
        raise ValueError(f"{count} estimates with {len(errors)} errors show no spread: give two or more of each")
    values = np.asarray(estimates, dtype=np.float64)
    variances = np.square(np.maximum(np.asarray(errors, dtype=np.float64), LEAST_ERROR))
    spread = estimate_spread(values, variances, alpha)
    mean, weights = weigh_mean(values, variances, spread.estimate**2)
    excess = measure_excess(values, variances, spread.estimate**2) / (count - 1)
    # Estimates that agree by chance better than their errors allow would make the interval too short.
    error = math.sqrt(max(1.0, excess) / float(weights.sum()))
    allowed = float(stdtrit(count - 1, 1 - alpha / 2)) * error
    following = float(stdtrit(count - 2, 1 - alpha / 2)) * math.hypot(spread.estimate, error) if count > 2 else math.inf
    return RandomEffects(
        mean=Interval(mean, mean - allowed, mean + allowed),
        p=min(1.0, 2 * float(stdtr(count - 1, -abs(mean) / error))),
        spread=spread,
        following=Interval(mean, mean - following, mean + following),
    )


def estimate_spread(estimates: Floats, variances: Floats, alpha: float) -> Interval:
    """Return the standard deviation of the effects, by Paule and Mandel, with its interval by the profile of Q."""
    from scipy.special import chdtri

    freedom = len(estimates) - 1
    # Q is a chi-square variable at the true spread, with this expectation and between these quantiles.
    targets = (freedom, float(chdtri(freedom, alpha / 2)), float(chdtri(freedom, 1 - alpha / 2)))
    return Interval(*(math.sqrt(solve_for_variance(estimates, variances, target)) for target in targets))


def solve_for_variance(estimates: Floats, variances: Floats, target: float) -> float:
    """Return the variance of the effects at which Q equals `target`; zero if Q is smaller even there.

    Q falls with the variance and is convex, so Newton's steps from zero rise and never pass the root.
    """
    variance = 0.0
    for _ in range(MOST_STEPS):
        mean, weights = weigh_mean(estimates, variances, variance)
        away = weights * (estimates - mean)
        beyond = float((away * (estimates - mean)).sum()) - target
        if beyond <= 1e-12 * target:
            break
        variance += beyond / float(np.square(away).sum())
    return variance


def measure_excess(estimates: Floats, variances: Floats, variance: float) -> float:
    """Return Q, the weighted sum of squared distances of the estimates from their mean, at this variance."""
    mean, weights = weigh_mean(estimates, variances, variance)
    return float((weights * np.square(estimates - mean)).sum())


def weigh_mean(estimates: Floats, variances: Floats, variance: float) -> tuple[float, Floats]:
    """Return the mean weighted by the inverse of each total variance, and the weights."""
    weights: Floats = 1 / (variances + variance)
    return float((weights * estimates).sum() / weights.sum()), weights


def estimate_error(differences: Sequence[float]) -> float:
    """Return the standard error of the centre of at least two differences: their deviation by the root of their number.

    The centre by Hodges and Lehmann varies as the mean does for normal differences, and less for heavier tails.
    """
    return float(np.std(differences, ddof=1)) / math.sqrt(len(differences))


def pool_variance(strata: Sequence[Sequence[float]]) -> float:
    """Return the variance of differences within strata, of which at least one has two; never zero.

    A few differences estimate the variance of one stratum badly, and all strata of one type of machine vary alike.
    """
    squares = sum(float(np.var(differences)) * len(differences) for differences in strata)
    return max(squares / sum(len(differences) - 1 for differences in strata), LEAST_ERROR**2)
