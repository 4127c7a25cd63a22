import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.statistics.rank_sum import LARGEST_EXACT, hodges_lehmann_shift, rank_sum_cdf, rank_sum_p

VALUES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=6)


def counted_p(one: list[float], other: list[float]) -> float:
    """Return the two-sided p by enumerating all ways to deal out the mid-ranks."""
    together = np.array([*one, *other])
    ranks = [float((together < value).sum() + ((together == value).sum() + 1) / 2) for value in together]
    got = sum(ranks[len(one) :])
    sums = [sum(dealt) for dealt in combinations(ranks, len(other))]
    at_most, at_least = sum(total <= got for total in sums), sum(total >= got for total in sums)
    return min(1.0, 2 * min(at_most, at_least) / len(sums))


def test_the_law_of_two_small_samples_is_that_of_the_tables() -> None:
    assert rank_sum_cdf(2, 2) * 6 == pytest.approx([1, 2, 4, 5, 6])
    assert rank_sum_cdf(3, 1) * 4 == pytest.approx([1, 2, 3, 4])
    assert rank_sum_cdf(8, 8)[13] == pytest.approx(0.0249, abs=5e-5)
    assert rank_sum_cdf(8, 8)[14] == pytest.approx(0.0325, abs=5e-5)


@given(VALUES, VALUES)
def test_p_is_exact_with_and_without_ties(one: list[float], other: list[float]) -> None:
    assert rank_sum_p(one, other) == pytest.approx(counted_p(one, other))


@given(VALUES, VALUES)
def test_both_sides_see_the_same(one: list[float], other: list[float]) -> None:
    there, back = hodges_lehmann_shift(one, other, 0.1), hodges_lehmann_shift(other, one, 0.1)
    assert (there.estimate, there.low, there.high) == (-back.estimate, -back.high, -back.low)
    assert rank_sum_p(one, other) == pytest.approx(rank_sum_p(other, one))


@given(VALUES, VALUES, st.integers(-9, 9).map(float))
def test_a_shift_of_one_sample_is_the_shift_that_is_found(one: list[float], other: list[float], by: float) -> None:
    before, after = (
        hodges_lehmann_shift(one, other, 0.1),
        hodges_lehmann_shift(one, [value + by for value in other], 0.1),
    )
    assert after.estimate == before.estimate + by
    assert (after.low, after.high) == (before.low + by, before.high + by)


def test_the_interval_ends_where_the_test_no_longer_rejects() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=8), rng.normal(size=10) + 0.5
    found = hodges_lehmann_shift(one, other, 0.05)
    assert rank_sum_p(one + found.low + 1e-9, other) > 0.05 >= rank_sum_p(one + found.low - 1e-9, other)
    assert rank_sum_p(one + found.high - 1e-9, other) > 0.05 >= rank_sum_p(one + found.high + 1e-9, other)


def test_too_few_values_support_no_interval() -> None:
    found = hodges_lehmann_shift([1.0, 2.0], [3.0], 0.05)
    assert (found.estimate, found.low, found.high) == (1.5, -math.inf, math.inf)
    assert math.isnan(hodges_lehmann_shift([], [1.0], 0.05).estimate)
    assert rank_sum_p([], [1.0]) == 1


def test_p_of_samples_far_apart_is_small_and_never_zero() -> None:
    one = [float(value) for value in range(32)]
    assert rank_sum_p(one, [value + 100 for value in one]) == pytest.approx(2 / math.comb(64, 32))


def test_of_many_values_the_normal_law_says_what_the_exact_one_says() -> None:
    half = LARGEST_EXACT // 2
    exact, normal = rank_sum_cdf(half, half), rank_sum_cdf(half, half + 1)
    for level in (0.005, 0.02, 0.2):
        ends = [np.searchsorted(law, level) / law.size for law in (exact, normal)]
        assert ends[0] == pytest.approx(ends[1], abs=0.003)
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 9, half).astype(float), rng.integers(0, 9, half).astype(float)
    assert rank_sum_p([*one, 4.0], other) == pytest.approx(rank_sum_p(one, other), abs=0.05)


def test_values_that_are_all_the_same_differ_by_nothing_for_certain() -> None:
    found = hodges_lehmann_shift([2.0] * 8, [2.0] * 8, 0.05)
    assert (found.estimate, found.low, found.high) == (0, 0, 0)
    assert rank_sum_p([2.0] * 8, [2.0] * 8) == 1
    assert rank_sum_p([2.0] * LARGEST_EXACT, [2.0] * LARGEST_EXACT) == 1
