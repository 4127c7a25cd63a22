"""Operations of JAX programs: never more than any program with the same results needs."""

import json
from importlib.util import find_spec
from typing import Any

import pytest

from tests.workers.conftest import Python

Counts = dict[str, Any]

PRODUCT = 2 * 3 * 4 * 5


@pytest.fixture(scope="module")
def counts(python: Python) -> Counts:
    """All counts, from a process that imports JAX."""
    if find_spec("jax") is None:
        pytest.skip("jax is not installed")
    ended = python("from tests.workers.jax_flops import main; main()")
    assert ended.status == 0, ended.log
    found: Counts = json.loads(ended.output)
    return found


@pytest.mark.long
@pytest.mark.parametrize("name", ["product", "the same twice", "one for nothing", "jitted"])
def test_only_what_the_results_need_counts_and_that_once(counts: Counts, name: str) -> None:
    assert counts["counts"][name] == PRODUCT


def test_products_of_different_things_count_each(counts: Counts) -> None:
    assert [counts["counts"][name] for name in ("two", "three")] == [2 * PRODUCT, 3 * PRODUCT]


def test_a_loop_counts_each_turn_and_a_branch_the_cheaper_way(counts: Counts) -> None:
    assert [counts["counts"][name] for name in ("loop", "branch")] == [7 * 2 * 4**3, 2 * 4**3]


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_counts_as_xla_does_without_the_zeros_around_it(
    counts: Counts, padding: str, stride: int
) -> None:
    ours, theirs = counts["convolutions"][f"forward {padding} {stride}"]
    assert ours == theirs
    ours, theirs = counts["convolutions"][f"gradient {padding} {stride}"]
    assert 0 < ours <= theirs


def test_zeros_between_the_numbers_of_an_input_need_no_arithmetic(counts: Counts) -> None:
    dense = 2 * 2 * 4 * 3 * 13 * 13 * 9
    assert dense / 5 < counts["counts"]["spread"] < dense / 3


def test_a_pair_is_a_result_and_a_tap_that_meet_a_number(counts: Counts) -> None:
    assert counts["pairs"] == [18, 22, 11, 12, 2]
