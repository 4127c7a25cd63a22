"""The looks of a sweep, and the blocks that significance needs; error rates are in test_coverage.py."""

import math

import pytest

from orchestrator.analysis.statistics.looks import ALPHA, LOOKS, blocks_needed


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
