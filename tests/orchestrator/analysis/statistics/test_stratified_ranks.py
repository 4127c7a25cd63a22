"""The signed-rank test over strata, checked by enumeration, against one stratum, and by hand."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from orchestrator.analysis.statistics.intervals import Interval, hodges_lehmann, signed_rank_cdf, signed_rank_p
from orchestrator.analysis.statistics.looks import ALPHA, blocks_needed
from orchestrator.analysis.statistics.stratified_ranks import (
    LARGEST_EXACT,
    is_approximated,
    stratified_hodges_lehmann,
    stratified_signed_rank_cdf,
    stratified_signed_rank_p,
)

DIFFERENCES = st.lists(st.integers(-1000, 1000), min_size=1, max_size=14)
STRATA = st.lists(st.lists(st.integers(-4, 4), max_size=4), min_size=1, max_size=3)
UNTIED_STRATA = st.lists(
    st.lists(st.integers(-1000, 1000).filter(bool), min_size=1, max_size=6, unique_by=abs), min_size=1, max_size=4
)


def draw_strata(sizes: list[int], centre: float = 0.0, seed: int = 1) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    return [rng.normal(centre, 1, size).tolist() for size in sizes]


def test_the_law_of_two_strata_is_the_one_counted_by_hand() -> None:
    """Check ranks 1, 2 and ranks 1, 2: sums 0, 1, 1, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6 and twice 3 of sixteen."""
    counts = np.diff(stratified_signed_rank_cdf([2, 2]) * 16, prepend=0)
    assert counts.tolist() == [1, 2, 3, 4, 3, 2, 1]


@pytest.mark.parametrize("sizes", [[3, 4], [1, 1, 1], [5, 2, 6, 1], [8, 8]])
def test_the_law_of_strata_is_the_convolution_of_their_laws(sizes: list[int]) -> None:
    law = np.ones(1)
    for size in sizes:
        law = np.convolve(law, np.diff(signed_rank_cdf(size), prepend=0))
    assert stratified_signed_rank_cdf(sizes) == pytest.approx(np.cumsum(law))


@given(DIFFERENCES)
def test_one_stratum_gives_exactly_the_figures_of_one_node(values: list[int]) -> None:
    assert stratified_signed_rank_p([values]) == signed_rank_p(values)
    assert stratified_hodges_lehmann([values], ALPHA) == hodges_lehmann(values, ALPHA)


@given(DIFFERENCES)
def test_a_stratum_without_differences_changes_nothing(values: list[int]) -> None:
    assert stratified_signed_rank_p([[], values]) == signed_rank_p(values)
    assert stratified_hodges_lehmann([values, []], ALPHA) == hodges_lehmann(values, ALPHA)


def test_one_stratum_is_exact_however_large_it_is() -> None:
    (values,) = draw_strata([LARGEST_EXACT + 50], 0.1)
    assert stratified_signed_rank_p([values, []]) == signed_rank_p(values)
    assert stratified_hodges_lehmann([values], ALPHA) == hodges_lehmann(values, ALPHA)


@given(STRATA)
def test_p_is_that_of_every_choice_of_signs_within_every_stratum(strata: list[list[int]]) -> None:
    ranks = [rank for values in strata for rank in stats.rankdata(np.abs(values)) * (np.array(values) != 0)]
    seen = abs(float(np.dot(ranks, [np.sign(value) for values in strata for value in values])))
    # The coins of zeros have no rank and cannot matter.
    counted = [rank for rank in ranks if rank]
    as_far = [abs(float(np.dot(counted, signs))) >= seen for signs in product([-1, 1], repeat=len(counted))]
    assert stratified_signed_rank_p(strata) == pytest.approx(np.mean(as_far), rel=1e-12)


@given(UNTIED_STRATA)
def test_the_interval_excludes_zero_exactly_when_the_test_is_significant(strata: list[list[int]]) -> None:
    found = stratified_hodges_lehmann(strata, ALPHA)
    # An average within a stratum may be zero though no difference is.
    if 0 not in (found.low, found.high):
        assert (stratified_signed_rank_p(strata) <= ALPHA) == (not found.low <= 0 <= found.high)


@given(STRATA, st.randoms())
def test_neither_the_order_of_strata_nor_the_side_of_the_baseline_matters(
    strata: list[list[int]], random: object
) -> None:
    turned = [[-value for value in values] for values in reversed(strata)]
    assert stratified_signed_rank_p(turned) == stratified_signed_rank_p(strata)
    there, back = stratified_hodges_lehmann(strata, 0.2), stratified_hodges_lehmann(turned, 0.2)
    assert (back.low, back.high) == (-there.high, -there.low)


def test_no_average_is_taken_across_strata() -> None:
    """Check that nodes at 0 and at 100 leave no average near 50, where those of a single stratum would."""
    found = stratified_hodges_lehmann([[0.0, 1.0, 2.0], [100.0, 101.0, 102.0]], 0.5)
    assert found.low <= 2
    assert found.high >= 100
    together = hodges_lehmann([0.0, 1.0, 2.0, 100.0, 101.0, 102.0], 0.5)
    assert together.low > 2


def test_the_estimate_of_two_strata_by_hand() -> None:
    """Check the averages 1, 1.5, 2 and 4, 5, 6 with sums of ranks 0 to 6, of which 1/16 of the coins give 0."""
    assert stratified_hodges_lehmann([[1, 2], [4, 6]], alpha=0.125) == Interval(3, 1, 6)
    assert stratified_hodges_lehmann([[1, 2], [4, 6]], alpha=0.4) == Interval(3, 1.5, 5)


def test_no_differences_are_no_evidence() -> None:
    assert stratified_signed_rank_p([]) == stratified_signed_rank_p([[], []]) == 1
    assert math.isnan(stratified_hodges_lehmann([[], []], ALPHA).estimate)
    assert stratified_hodges_lehmann([], ALPHA).half_width == math.inf


def test_a_node_that_is_slower_as_a_whole_takes_no_evidence_from_the_other() -> None:
    """Check that differences of one sign are as significant in two strata as in one, whatever their sizes."""
    small, large = [0.1, 0.2, 0.3, 0.4], [10.0, 20.0, 30.0, 40.0]
    assert stratified_signed_rank_p([small, large]) == signed_rank_p(small + large) == 2 / 2**8


@pytest.mark.parametrize("sizes", [[200, 100], [90, 90, 90], [40] * 8])
def test_beyond_the_exact_law_the_normal_one_agrees_with_it(sizes: list[int]) -> None:
    assert is_approximated(sizes)
    strata = draw_strata(sizes, 0.08)
    halves = [sorted(rank for size in sizes for rank in range(1, size + 1))]
    deviation = math.sqrt(sum(rank**2 for rank in halves[0])) / 2
    positive = sum(stats.rankdata(np.abs(values))[np.array(values) > 0].sum() for values in strata)
    z = (positive - sum(halves[0]) / 2) / deviation
    assert stratified_signed_rank_p(strata) == pytest.approx(2 * stats.norm.sf(abs(z)), rel=0.02)
    found = stratified_hodges_lehmann(strata, ALPHA)
    assert found.low < found.estimate < found.high
    assert (stratified_signed_rank_p(strata) <= ALPHA) == (not found.low <= 0 <= found.high)


def test_at_the_limit_both_laws_agree() -> None:
    sizes = [LARGEST_EXACT // 8] * 8
    exact = stratified_signed_rank_cdf(sizes)
    approximate = stratified_signed_rank_cdf([*sizes[:-1], sizes[-1] + 1])
    assert not is_approximated(sizes)
    # One more difference shifts the law; both leave the same share beyond the same number of deviations.
    for share in (0.02, 0.005):
        ends = [np.searchsorted(law, share) / law.size for law in (exact, approximate)]
        assert ends[0] == pytest.approx(ends[1], rel=0.01)


@given(st.integers(1, 500), st.integers(1, 20), st.sampled_from([0.05, 0.04, 0.01]))
def test_the_blocks_needed_on_each_node_make_the_smallest_p_pass(pairs: int, nodes: int, alpha: float) -> None:
    each = math.ceil(blocks_needed(pairs, alpha) / nodes)
    assert each * nodes >= blocks_needed(pairs, alpha) > (each - 1) * nodes
    strata = [[1.0 + block for block in range(each)]] * nodes
    if not is_approximated([each] * nodes):
        assert stratified_signed_rank_p(strata) <= alpha / pairs
        assert stratified_hodges_lehmann(strata, alpha / pairs).low > 0
