"""The looks of a sweep, and the blocks that significance needs; error rates are in test_coverage.py."""

import math

import numpy as np
import pytest

from orchestrator.analysis.statistics.intervals import signed_rank_cdf
from orchestrator.analysis.statistics.looks import ALPHA, ALPHA_ON_VERDICTS, LOOKS, PLANNED, LookRule, blocks_needed
from tests.selection import mark_long


def test_looks_are_in_order_and_the_first_could_be_significant_for_one_pair() -> None:
    assert list(LOOKS) == sorted({*LOOKS})
    assert LOOKS[0] >= blocks_needed(1)


def test_a_sweep_could_always_claim_something_at_its_last_look() -> None:
    assert blocks_needed(10**6) <= LOOKS[-1]


def test_one_pair_needs_as_many_blocks_as_none() -> None:
    assert blocks_needed(0) == blocks_needed(1) == math.ceil(1 + math.log2(1 / ALPHA))


@pytest.mark.parametrize("pairs", [1, 3, 10, 45, 190])
def test_twice_the_pairs_need_one_block_more(pairs: int) -> None:
    assert blocks_needed(2 * pairs) == blocks_needed(pairs) + 1


@pytest.mark.parametrize(("alpha", "blocks"), [(0.5, 2), (0.04, 6), (0.01, 8), (0.001, 11)])
def test_a_stricter_level_needs_more_blocks(alpha: float, blocks: int) -> None:
    assert blocks_needed(1, alpha) == blocks


def test_a_sweep_that_ends_by_its_precision_has_the_level_that_pays_for_its_looks() -> None:
    assert {PLANNED.choose_alpha(pairs) for pairs in (0, 1, 10)} == {ALPHA}


def test_a_sweep_that_ends_with_its_verdicts_has_a_lower_level() -> None:
    assert LookRule(on_verdicts=True).choose_alpha(10) == ALPHA_ON_VERDICTS < ALPHA


@pytest.mark.parametrize("pairs", [1, 4, 10])
def test_an_end_before_any_claim_was_possible_costs_nothing_and_a_later_one_does(pairs: int) -> None:
    needed = blocks_needed(pairs)
    assert LookRule(ended_after=(0, needed - 1)).choose_alpha(pairs) == ALPHA
    assert LookRule(ended_after=(0, needed)).choose_alpha(pairs) == ALPHA_ON_VERDICTS


def count_false_claims(experiments: int, *, seed: int) -> float:
    """Return the share of sweeps of two equal modes in which some look, one after every block, finds a difference."""
    rng, ever = np.random.default_rng(seed), np.zeros(experiments, dtype=bool)
    differences = rng.normal(size=(experiments, LOOKS[-1]))
    for k in range(blocks_needed(1, ALPHA_ON_VERDICTS), LOOKS[-1] + 1):
        ranks = np.abs(differences[:, :k]).argsort(axis=1).argsort(axis=1) + 1
        positive = (ranks * (differences[:, :k] > 0)).sum(axis=1)
        least = np.minimum(positive, k * (k + 1) // 2 - positive)
        ever |= 2 * signed_rank_cdf(k)[least] <= ALPHA_ON_VERDICTS
    return float(ever.mean())


@pytest.mark.parametrize("experiments", mark_long([4_000, 100_000], quick=[4_000]))
def test_a_look_at_the_verdicts_after_every_block_makes_five_false_claims_in_a_hundred_at_most(
    experiments: int,
) -> None:
    chance = 3 * math.sqrt(0.05 * 0.95 / experiments)
    assert count_false_claims(experiments, seed=3) <= 0.05 + chance


@pytest.mark.parametrize("pairs", [1, 4, 5, 10])
def test_the_price_of_verdicts_is_at_most_one_planned_look(pairs: int) -> None:
    def find_look(alpha: float) -> int:
        return next(place for place, look in enumerate(LOOKS) if look >= blocks_needed(pairs, alpha))

    assert find_look(ALPHA_ON_VERDICTS) - find_look(ALPHA) <= 1
