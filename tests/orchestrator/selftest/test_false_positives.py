"""Rates of false positives among clones in long synthetic sweeps."""

import math
from collections.abc import Callable, Sequence

import pytest

from orchestrator.analysis.statistics.looks import blocks_needed
from orchestrator.selftest.false_positives import (
    EXPERIMENT_BLOCKS,
    FalsePositiveRate,
    compare_until_precise,
    compute_rates,
    cut_experiments,
    split_into_sets,
)
from schemas.job import Cell
from schemas.record import JobRecord

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]
MakeRecords = Callable[..., list[JobRecord]]


@pytest.fixture
def clones(make_cell: MakeCell) -> list[Cell]:
    return [make_cell(replica=replica) for replica in range(6)]


def equal(cells: Sequence[Cell]) -> list[tuple[Cell, float]]:
    return [(cell, 1e5) for cell in cells]


def test_a_long_sweep_is_cut_into_whole_experiments(clones: list[Cell], make_records: MakeRecords) -> None:
    found = cut_experiments(make_records(equal(clones), blocks=2 * EXPERIMENT_BLOCKS + 5), clones)
    assert len(found) == 2
    assert [record.spec.block for record in found[1][clones[3].id]] == [
        *range(EXPERIMENT_BLOCKS + 1, 2 * EXPERIMENT_BLOCKS + 1)
    ]


def test_an_experiment_in_which_a_job_failed_is_left_out(
    clones: list[Cell], make_records: MakeRecords, make_record: MakeRecord
) -> None:
    records = make_records(equal(clones), blocks=2 * EXPERIMENT_BLOCKS)
    records[7] = make_record(records[7].spec.cell, records[7].spec.block, outcome="killed")
    assert len(cut_experiments(records, clones)) == 1


def test_no_rate_is_known_without_an_experiment(clones: list[Cell]) -> None:
    assert cut_experiments([], clones) == []
    assert all(rate.trials == 0 and rate.interval.low == 0 and rate.interval.high == 1 for rate in compute_rates([]))


def test_trials_are_pairs_and_sets_of_six(clones: list[Cell], make_records: MakeRecords) -> None:
    found = compute_rates(cut_experiments(make_records(equal(clones), blocks=2 * EXPERIMENT_BLOCKS), clones))
    assert [rate.trials for rate in found] == [30, 2]


def test_clones_that_only_chance_separates_are_rarely_told_apart(clones: list[Cell], make_records: MakeRecords) -> None:
    rates = compute_rates(
        cut_experiments(make_records(equal(clones), blocks=20 * EXPERIMENT_BLOCKS, noise=0.01), clones)
    )
    assert all(rate.interval.low <= 0.05 for rate in rates)


def test_cells_a_fifth_apart_are_told_apart(make_cell: MakeCell, make_records: MakeRecords) -> None:
    pair = [make_cell(replica=replica) for replica in range(2)]
    records = make_records([(pair[0], 1e5), (pair[1], 1.2e5)], blocks=EXPERIMENT_BLOCKS)
    alone, together = compute_rates(cut_experiments(records, pair))
    assert (alone.claims, alone.trials) == (1, 1)
    assert together.trials == 0


def test_a_pair_is_concluded_at_the_first_look_that_is_precise_and_otherwise_at_the_last_block(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    pair = [make_cell(replica=replica) for replica in range(2)]
    for noise, blocks in ((0.001, 8), (0.1, EXPERIMENT_BLOCKS)):
        (experiment,) = cut_experiments(make_records(equal(pair), noise=noise), pair)
        (found,) = compare_until_precise(experiment, list(experiment))
        assert found.blocks == blocks


def test_a_set_is_not_concluded_before_its_pairs_could_be_significant(
    clones: list[Cell], make_records: MakeRecords
) -> None:
    (experiment,) = cut_experiments(make_records(equal(clones), noise=0.001), clones)
    names = list(experiment)
    least = blocks_needed(math.comb(len(names), 2))
    assert {found.blocks for found in compare_until_precise(experiment, names)} == {least}
    assert 8 < least < EXPERIMENT_BLOCKS


def test_sets_are_disjoint_and_full() -> None:
    assert [list(part) for part in split_into_sets(["a", "b", "c", "d", "e"], 2)] == [["a", "b"], ["c", "d"]]


def test_a_share_has_its_exact_interval() -> None:
    assert FalsePositiveRate("x", 0, 20).interval.high == pytest.approx(0.1684, abs=1e-4)
