"""Blocks are shared out whole, each once, and what is missing stays with its share."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.planning.shares import Assignment, assign_blocks, lay_out_shares, split_runs
from schemas.cluster import Cluster
from schemas.sweep import Stop


def lay_out(blocks: int, nodes: int, block_s: float = 10.0, budget: float = 1e6, size: int | None = None) -> list[int]:
    cluster = Cluster(on="slurm", share_blocks=size)
    found = lay_out_shares(Stop(blocks=blocks, budget=budget), cluster, nodes, block_s)
    return [found.blocks, found.share_blocks, found.shares, found.nodes]


@pytest.mark.parametrize(
    ("blocks", "nodes", "size", "due"),
    [
        (32, 4, None, [32, 8, 4, 4]),
        (32, 5, None, [32, 7, 5, 5]),
        (32, 1, None, [32, 32, 1, 1]),
        (3, 8, None, [3, 1, 3, 3]),
        (32, 4, 2, [32, 2, 16, 4]),
        (3, 2, 10, [3, 3, 1, 2]),
    ],
)
def test_each_node_gets_one_share_unless_their_size_is_asked_for(
    blocks: int, nodes: int, size: int | None, due: list[int]
) -> None:
    assert lay_out(blocks, nodes, size=size) == due


def test_the_budget_is_that_of_each_node() -> None:
    assert lay_out(32, 2, block_s=10, budget=50)[0] == 10
    assert lay_out(32, 8, block_s=10, budget=50)[0] == 32


def test_a_node_measures_one_block_at_least() -> None:
    assert lay_out(32, 3, block_s=100, budget=50)[0] == 3


def test_hours_are_those_of_the_node_with_the_most_shares() -> None:
    found = lay_out_shares(Stop(blocks=10, budget=1e6), Cluster(on="slurm", share_blocks=2), 2, 10.0)
    assert (found.shares, found.node_s, found.total_s) == (5, 60.0, 100.0)


def assign(missing: list[int], known: dict[int, range], attempts: dict[int, int], size: int = 4) -> list[Assignment]:
    return list(assign_blocks(missing, known, attempts, size))


def test_a_new_run_is_cut_into_shares_of_one_size() -> None:
    assert assign(list(range(1, 11)), {}, {}) == [
        Assignment(1, 1, 1, 4),
        Assignment(2, 1, 5, 8),
        Assignment(3, 1, 9, 10),
    ]


def test_the_rest_of_a_share_is_a_further_attempt_at_it() -> None:
    known = {1: range(1, 5), 2: range(5, 9)}
    assert assign([3, 4, 5, 6, 7, 8], known, {1: 1, 2: 2}) == [Assignment(1, 2, 3, 4), Assignment(2, 3, 5, 8)]


def test_a_gap_within_a_share_makes_two_attempts() -> None:
    assert assign([1, 4], {1: range(1, 5)}, {1: 1}) == [Assignment(1, 2, 1, 1), Assignment(1, 3, 4, 4)]


def test_blocks_of_an_extension_are_new_shares() -> None:
    found = assign(list(range(9, 16)), {1: range(1, 5), 2: range(5, 9)}, {1: 1, 2: 1})
    assert found == [Assignment(3, 1, 9, 12), Assignment(4, 1, 13, 15)]


def test_nothing_is_handed_out_of_a_whole_run() -> None:
    assert assign([], {1: range(1, 5)}, {1: 1}) == []


@given(
    blocks=st.integers(1, 60),
    size=st.integers(1, 9),
    missing=st.sets(st.integers(1, 80)),
    again=st.sets(st.integers(1, 80)),
)
def test_each_missing_block_is_handed_out_once_whatever_came_before(
    blocks: int, size: int, missing: set[int], again: set[int]
) -> None:
    first = assign(list(range(1, blocks + 1)), {}, {}, size)
    known = {each.share: range(each.first, each.last + 1) for each in first}
    attempts = {each.share: each.attempt for each in first}
    for lacking in (missing, again):
        found = assign(sorted(lacking), known, attempts, size)
        handed = list(itertools.chain.from_iterable(range(each.first, each.last + 1) for each in found))
        assert sorted(handed) == sorted(lacking)
        assert len({(each.share, each.attempt) for each in found}) == len(found)
        assert all(each.attempt > attempts.get(each.share, 0) for each in found)
        for each in found:
            known.setdefault(each.share, range(each.first, each.last + 1))
            attempts[each.share] = max(each.attempt, attempts.get(each.share, 0))


def test_runs_end_at_gaps_and_at_the_ends_of_shares() -> None:
    owners = {1: 1, 2: 1, 3: 2, 4: 2}
    assert list(split_runs([1, 2, 3, 4, 6], owners)) == [range(1, 3), range(3, 5), range(6, 7)]
