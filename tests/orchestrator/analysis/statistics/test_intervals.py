"""Estimates and tests, checked by hand, with scipy and by enumeration."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from orchestrator.analysis.statistics.intervals import (
    Interval,
    clopper_pearson,
    estimate_percentile,
    hodges_lehmann,
    median_interval,
    reject_by_holm,
    signed_rank_cdf,
    signed_rank_p,
)
from orchestrator.analysis.statistics.looks import ALPHA, LOOKS, blocks_needed

differences = st.lists(st.integers(-1000, 1000), min_size=1, max_size=14)
untied_differences = st.lists(st.integers(-1000, 1000).filter(bool), min_size=1, max_size=14, unique_by=abs)
p_values = st.lists(st.floats(0, 1), max_size=12)


def test_the_law_of_three_ranks_is_the_one_counted_by_hand() -> None:
    assert signed_rank_cdf(3).tolist() == [1 / 8, 2 / 8, 3 / 8, 5 / 8, 6 / 8, 7 / 8, 1]


@pytest.mark.parametrize("k", LOOKS)
def test_the_law_is_exact_at_every_look(k: int) -> None:
    counts = signed_rank_cdf(k) * 2.0**k
    assert counts.size == k * (k + 1) // 2 + 1
    assert np.array_equal(counts, np.round(counts))
    assert (counts[0], counts[3], counts[-1]) == (1, 5, 2.0**k)


def test_nobody_can_spoil_the_remembered_law() -> None:
    with pytest.raises(ValueError, match="read-only"):
        signed_rank_cdf(4)[0] = 0


def test_hodges_lehmann_of_three_differences_by_hand() -> None:
    assert hodges_lehmann([1, 2, 6], alpha=0.25) == Interval(2.75, 1, 6)


def test_eight_blocks_leave_three_walsh_averages_outside_at_each_end() -> None:
    assert hodges_lehmann(range(1, 9), ALPHA) == Interval(4.5, 2, 7)


@pytest.mark.parametrize("k", range(6))
def test_five_blocks_or_fewer_support_no_interval(k: int) -> None:
    assert hodges_lehmann([0.1] * k, ALPHA).half_width == math.inf


def test_six_blocks_support_an_interval_over_their_whole_range() -> None:
    found = hodges_lehmann([3, 1, 4, 1.5, 9, 2.6], ALPHA)
    assert (found.low, found.high) == (1, 9)


def test_no_blocks_give_no_estimate() -> None:
    found = hodges_lehmann([], ALPHA)
    assert math.isnan(found.estimate)
    assert (found.low, found.high) == (-math.inf, math.inf)


@given(differences, st.integers(-100, 100), st.sampled_from([-4, -1, 0.5, 2]))
def test_the_estimate_moves_and_stretches_with_the_data(values: list[int], shift: int, scale: float) -> None:
    plain = hodges_lehmann(values, ALPHA)
    moved = hodges_lehmann([scale * value + shift for value in values], ALPHA)
    ends = sorted([scale * plain.low + shift, scale * plain.high + shift])
    assert moved == Interval(scale * plain.estimate + shift, *ends)


@given(untied_differences)
def test_the_interval_excludes_zero_exactly_when_the_test_is_significant(values: list[int]) -> None:
    found = hodges_lehmann(values, ALPHA)
    assert (signed_rank_p(values) <= ALPHA) == (not found.low <= 0 <= found.high)


@given(untied_differences)
def test_without_ties_p_is_that_of_scipy(values: list[int]) -> None:
    assert signed_rank_p(values) == pytest.approx(stats.wilcoxon(values, method="exact").pvalue, rel=1e-12)


@given(st.lists(st.integers(-3, 3), max_size=8))
def test_with_ties_and_zeros_p_is_that_of_every_choice_of_signs(values: list[int]) -> None:
    ranks = stats.rankdata(np.abs(values)) * (np.array(values) != 0)
    seen = abs(float(np.dot(ranks, np.sign(values))))
    signs = product([-1, 1], repeat=len(values))
    as_far = [abs(float(np.dot(ranks, choice))) >= seen for choice in signs]
    assert signed_rank_p(values) == pytest.approx(np.mean(as_far), rel=1e-12)


@given(differences)
def test_p_does_not_care_which_side_is_the_baseline(values: list[int]) -> None:
    assert signed_rank_p(values) == signed_rank_p([-value for value in values])


def test_blocks_without_any_difference_are_no_evidence() -> None:
    assert signed_rank_p([0.0] * 8) == 1
    assert signed_rank_p([]) == 1


def test_moving_away_from_zero_never_weakens_the_evidence() -> None:
    at_zero, beyond = [0.0, 1, 2, 3, 4, 5, -6, 7], [0.5, 1, 2, 3, 4, 5, -6, 7]
    assert signed_rank_p(beyond) <= signed_rank_p(at_zero)


def test_holm_steps_down_until_the_first_that_stands() -> None:
    assert reject_by_holm([0.015, 0.04, 0.03, 0.005], alpha=0.05) == (True, False, False, True)


def test_holm_has_nothing_to_say_about_nothing() -> None:
    assert reject_by_holm([], ALPHA) == ()


@given(p_values)
def test_holm_lies_between_bonferroni_and_no_correction(values: list[float]) -> None:
    for p, rejected in zip(values, reject_by_holm(values, ALPHA), strict=True):
        assert (p <= ALPHA / len(values)) <= rejected <= (p <= ALPHA)


@given(p_values)
def test_holm_never_rejects_the_less_surprising_of_two(values: list[float]) -> None:
    flags = reject_by_holm(values, ALPHA)
    assert max((p for p, rejected in zip(values, flags, strict=True) if rejected), default=0) <= min(
        (p for p, rejected in zip(values, flags, strict=True) if not rejected), default=1
    )


@pytest.mark.parametrize(("pairs", "blocks"), [(0, 6), (1, 6), (7, 9), (15, 10), (28, 11)])
def test_many_pairs_need_more_blocks(pairs: int, blocks: int) -> None:
    assert blocks_needed(pairs) == blocks


@given(st.integers(1, 2000))
def test_the_blocks_needed_are_just_enough_for_holm(pairs: int) -> None:
    k = blocks_needed(pairs)
    assert 2 / 2**k <= ALPHA / pairs < 2 / 2 ** (k - 1)


def test_the_median_of_eight_processes_lies_between_the_extremes() -> None:
    assert median_interval([5, 1, 8, 3, 7, 2, 6, 4]) == Interval(4.5, 1, 8)
    assert median_interval([5, 1, 8, 3, 7, 2, 6, 4], confidence=0.92) == Interval(4.5, 2, 7)


@pytest.mark.parametrize("n", range(6))
def test_five_processes_or_fewer_give_the_median_no_interval(n: int) -> None:
    assert median_interval([1.0] * n).half_width == math.inf


@given(st.integers(6, 200), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_median_is_covered_as_often_as_asked(n: int, confidence: float) -> None:
    found = median_interval(range(n), confidence)
    attained = 1 - 2 * stats.binom.cdf(found.low, n, 0.5) if found.low >= 0 else 1
    assert attained >= confidence - 1e-12


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (1, 40), (5, 10), (300, 300)])
def test_beyond_each_end_of_a_share_the_binomial_law_leaves_a_fortieth(successes: int, trials: int) -> None:
    found = clopper_pearson(successes, trials)
    assert found.estimate == successes / trials
    at_least = stats.binom.sf(successes - 1, trials, found.low)
    at_most = stats.binom.cdf(successes, trials, found.high)
    assert at_least == pytest.approx(0.025 if successes else 1)
    assert at_most == pytest.approx(0.025 if successes < trials else 1)


def test_no_trials_say_nothing_about_a_share() -> None:
    found = clopper_pearson(0, 0)
    assert math.isnan(found.estimate)
    assert (found.low, found.high) == (0, 1)


@pytest.mark.parametrize(("q", "floor"), [(90, 64), (99, 662)])
def test_a_tail_needs_the_samples_of_mlperf_early_stopping(q: float, floor: int) -> None:
    assert estimate_percentile(range(floor - 1), q) is None
    assert estimate_percentile(range(floor), q) == pytest.approx(floor * q / 100, rel=0.01)


def test_the_median_needs_but_one_sample() -> None:
    assert estimate_percentile([7.0], 50) == 7
    assert estimate_percentile([4.0, 1.0, 2.0, 3.0], 50) == 2.5
    assert estimate_percentile([], 50) is None


@pytest.mark.parametrize("q", [0.99, 100])
def test_a_percentile_given_as_a_fraction_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="such as 99 for p99"):
        estimate_percentile([1.0] * 1000, q)


def test_log_ratios_become_ratios() -> None:
    assert Interval(0.0, -math.inf, math.inf).exp() == Interval(1, 0, math.inf)
    doubled = Interval(math.log(2), 0.0, math.log(4)).exp()
    assert (doubled.estimate, doubled.low, doubled.high) == pytest.approx((2, 1, 4))


def test_an_interval_too_wide_for_a_number_is_infinite_on_the_ratio_scale() -> None:
    assert Interval(0.0, -1e4, 1e4).exp() == Interval(1.0, 0.0, math.inf)
    assert Interval(0.0, 708.0, 709.5).exp().high == math.inf
