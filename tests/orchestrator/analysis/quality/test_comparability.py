"""Comparability: cells that were sampled differently in a block are not compared there, and the reason is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.quality.comparability import (
    LENGTH_RATIO_LIMIT,
    Sampling,
    explain_difference,
    find_unlike_blocks,
    format_left_out_blocks,
)

PLAIN = Sampling(target_ns=10_000_000)
SAMPLINGS = st.builds(
    Sampling, target_ns=st.sampled_from([1_000_000, 1_200_000, 1_600_000, 10_000_000]), slow=st.booleans()
)
BLOCKS = st.dictionaries(st.integers(1, 6), SAMPLINGS, max_size=6)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (PLAIN, ""),
        (Sampling(target_ns=15_000_000), ""),
        (Sampling(target_ns=20_000_000), "samples were set to last 10 ms in one process and 20 ms in the other"),
        (Sampling(target_ns=1_500_000), "samples were set to last 1.5 ms in one process and 10 ms in the other"),
        (Sampling(target_ns=20_000_000, slow=True), ""),
    ],
)
def test_a_difference_is_explained(other: Sampling, reason: str) -> None:
    assert explain_difference(PLAIN, other) == reason


@given(SAMPLINGS, SAMPLINGS)
def test_either_side_sees_the_same_difference(one: Sampling, other: Sampling) -> None:
    assert explain_difference(one, other) == explain_difference(other, one)
    assert explain_difference(one, one) == ""


@given(SAMPLINGS, SAMPLINGS)
def test_lengths_may_differ_up_to_the_limit_and_for_slow_calls_without_one(one: Sampling, other: Sampling) -> None:
    longest, shortest = max(one.target_ns, other.target_ns), min(one.target_ns, other.target_ns)
    alike = one.slow or other.slow or longest <= LENGTH_RATIO_LIMIT * shortest
    assert (explain_difference(one, other) == "") == alike


@given(BLOCKS, BLOCKS)
def test_only_blocks_that_both_have_can_be_left_out(one: dict[int, Sampling], other: dict[int, Sampling]) -> None:
    left_out = find_unlike_blocks(one, other)
    assert left_out == find_unlike_blocks(other, one)
    assert list(left_out) == sorted(left_out)
    for block in one.keys() & other.keys():
        assert (block in left_out) == bool(explain_difference(one[block], other[block]))
    assert left_out.keys() <= one.keys() & other.keys()


@pytest.mark.parametrize(
    ("left_out", "clause"),
    [
        ({}, ""),
        ({3: "why"}, "1 block is not compared: why"),
        ({3: "why", 5: "why"}, "2 blocks are not compared: why"),
        ({3: "why", 5: "other"}, "2 blocks are not compared: why; other"),
    ],
)
def test_a_clause_counts_the_blocks_and_has_each_reason_once(left_out: dict[int, str], clause: str) -> None:
    assert format_left_out_blocks(left_out) == clause
