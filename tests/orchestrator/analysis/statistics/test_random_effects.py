"""Random effects, checked on a published meta-analysis, by hand and by simulation.

The published one has the thirteen trials of a vaccine (Colditz and others 1994, JAMA 271): log relative risks with
their variances. The expected figures are those of the R package metafor, in which it is the standard example.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from orchestrator.analysis.statistics.random_effects import (
    LEAST_ERROR,
    combine_effects,
    estimate_error,
    estimate_spread,
    measure_excess,
    pool_variance,
    solve_for_variance,
)

RISKS = np.array(
    [-0.8893, -1.5854, -1.3481, -1.4416, -0.2175, -0.7861, -1.6209, 0.0120, -0.4694, -1.3713, -0.3394, 0.4459, -0.0173]
)
VARIANCES = np.array(
    [0.3256, 0.1946, 0.4154, 0.0200, 0.0512, 0.0069, 0.2230, 0.0040, 0.0564, 0.0730, 0.0124, 0.5325, 0.0714]
)
ALPHA = 0.05

ESTIMATES = st.lists(st.floats(-1, 1), min_size=3, max_size=8)


def test_the_spread_of_the_trials_is_that_of_metafor() -> None:
    found = estimate_spread(RISKS, VARIANCES, ALPHA)
    assert found.estimate**2 == pytest.approx(0.318, abs=0.001)
    assert found.low**2 == pytest.approx(0.1197, abs=0.0005)
    assert found.high**2 == pytest.approx(1.1115, abs=0.002)


def test_the_mean_of_the_trials_has_the_interval_of_metafor() -> None:
    """Check -0.7145, from -1.1084 to -0.3206, of a slightly smaller spread (0.3132, by restricted likelihood)."""
    found = combine_effects(RISKS, np.sqrt(VARIANCES), ALPHA)
    assert found.mean.estimate == pytest.approx(-0.7145, abs=0.001)
    assert found.mean.low == pytest.approx(-1.1084, abs=0.005)
    assert found.mean.high == pytest.approx(-0.3206, abs=0.005)
    assert found.p == pytest.approx(0.002, abs=0.0005)


def test_the_next_trial_lies_by_students_law_with_one_degree_less() -> None:
    found = combine_effects(RISKS, np.sqrt(VARIANCES), ALPHA)
    error = (found.mean.high - found.mean.estimate) / stats.t.ppf(0.975, 12)
    expected = stats.t.ppf(0.975, 11) * math.hypot(found.spread.estimate, error)
    assert found.following.half_width == pytest.approx(expected)
    assert found.following.low < found.mean.low < found.mean.high < found.following.high


def test_equal_errors_that_are_small_give_students_interval() -> None:
    values = [0.01, 0.03, 0.02, 0.06]
    found = combine_effects(values, [1e-5] * 4, ALPHA)
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (found.mean.low, found.mean.high) == pytest.approx(expected, rel=1e-4)
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=1e-4)
    assert found.spread.estimate == pytest.approx(np.std(values, ddof=1), rel=1e-4)


def test_estimates_that_agree_by_chance_are_no_surer_than_their_errors() -> None:
    found = combine_effects([0.02, 0.02, 0.02], [0.01] * 3, ALPHA)
    assert found.spread.estimate == found.spread.low == 0
    assert found.mean.half_width == pytest.approx(stats.t.ppf(0.975, 2) * 0.01 / math.sqrt(3))


def test_estimates_that_agree_better_than_chance_have_no_spread_at_all() -> None:
    found = estimate_spread(np.full(8, 0.02), np.full(8, 1e-4), ALPHA)
    assert (found.estimate, found.low, found.high) == (0, 0, 0)


@given(ESTIMATES, st.sampled_from([1e-4, 0.01, 0.3]))
def test_q_equals_its_expectation_at_the_spread(values: list[float], error: float) -> None:
    estimates, variances = np.array(values), np.full(len(values), error**2)
    for target in (len(values) - 1, 0.05):
        variance = solve_for_variance(estimates, variances, target)
        excess = measure_excess(estimates, variances, variance)
        assert excess == pytest.approx(target, rel=1e-6) if variance > 0 else excess <= target * (1 + 1e-9)


@given(ESTIMATES, st.floats(-2, 2))
def test_a_common_shift_moves_the_mean_and_no_width(values: list[float], shift: float) -> None:
    errors = [0.01 * (1 + place) for place in range(len(values))]
    before, after = (combine_effects([value + by for value in values], errors, ALPHA) for by in (0, shift))
    assert after.mean.estimate == pytest.approx(before.mean.estimate + shift, abs=1e-9)
    assert after.mean.half_width == pytest.approx(before.mean.half_width, rel=1e-5)
    assert after.following.half_width == pytest.approx(before.following.half_width, rel=1e-5)


@given(ESTIMATES)
def test_the_p_agrees_with_the_interval(values: list[float]) -> None:
    found = combine_effects(values, [0.02] * len(values), ALPHA)
    if abs(found.p - ALPHA) > 1e-9:
        assert (found.p < ALPHA) == (not found.mean.low <= 0 <= found.mean.high)


def test_two_estimates_say_nothing_about_the_next_one() -> None:
    found = combine_effects([0.01, 0.02], [0.001, 0.001], ALPHA)
    assert found.following.half_width == math.inf
    assert found.mean.half_width == pytest.approx(stats.t.ppf(0.975, 1) * 0.005, rel=1e-3)


@pytest.mark.parametrize(("estimates", "errors"), [([], []), ([0.1], [0.1]), ([0.1, 0.2], [0.1])])
def test_one_estimate_is_refused(estimates: list[float], errors: list[float]) -> None:
    with pytest.raises(ValueError, match="give two or more of each"):
        combine_effects(estimates, errors, ALPHA)


def test_errors_of_nothing_do_not_divide_by_nothing() -> None:
    found = combine_effects([0.5, 0.5, 0.5], [0.0] * 3, ALPHA)
    assert found.mean.estimate == 0.5
    assert 0 < found.mean.half_width < 10 * LEAST_ERROR
    assert found.p < 1e-6


def test_the_less_certain_of_two_kinds_of_estimates_weighs_less() -> None:
    found = combine_effects([0.0, 0.0, 0.3], [0.01, 0.01, 0.5], ALPHA)
    assert found.mean.estimate < 0.001


def test_an_error_is_that_of_the_mean() -> None:
    assert estimate_error([0.1, 0.2, 0.6]) == pytest.approx(stats.sem([0.1, 0.2, 0.6]))


def test_the_pooled_variance_is_that_within_strata() -> None:
    """Check strata around 0 and 100: within them squares of 2 + 0.5 on three degrees of freedom."""
    assert pool_variance([[-1, 0, 1], [100, 101], [7]]) == pytest.approx(2.5 / 3)
    assert pool_variance([[3, 3, 3]]) == LEAST_ERROR**2


@pytest.mark.long
@pytest.mark.parametrize("spread", [0.005, 0.01, 0.03])
@pytest.mark.parametrize("count", [3, 5, 8])
def test_where_the_model_holds_intervals_cover_as_promised(count: int, spread: float) -> None:
    """Check 600 samples of effects with known errors of unequal size, nominal 95 %."""
    rng, experiments = np.random.default_rng(5), 600
    errors = np.linspace(0.002, 0.005, count)
    covered = np.zeros(3)
    for _ in range(experiments):
        effects = rng.normal(0.02, spread, count + 1)
        found = combine_effects(effects[:-1] + rng.normal(0, errors), errors, ALPHA)
        truths = ((found.mean, 0.02), (found.spread, spread), (found.following, effects[-1]))
        covered += [interval.low <= truth <= interval.high for interval, truth in truths]
    mean, between, following = covered / experiments
    assert 0.93 <= mean <= 0.98 if spread > 0.005 else mean >= 0.93
    assert between >= 0.93
    # The prediction interval is an approximation, and covers less where the spread is of the size of the errors.
    assert following >= (0.93 if spread > 0.01 else 0.88)
