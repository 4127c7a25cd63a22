"""The check of a slower twin, on made-up records."""

from collections.abc import Sequence

from orchestrator.selftest.check import Reading
from orchestrator.selftest.checks import slowdown
from tests.orchestrator.selftest.readings import find_failed
from tests.orchestrator.selftest.test_checks import MakeRecords


def twins(make_records: MakeRecords, ratio: float, noise: float = 0.001) -> Sequence[Reading]:
    return slowdown.judge_records(
        make_records([(slowdown.CELLS[0], 1e6), (slowdown.CELLS[1], ratio * 1e6)], blocks=8, noise=noise)
    )


def test_a_twin_that_is_found_passes(make_records: MakeRecords) -> None:
    assert find_failed(twins(make_records, 1.03)) == []


def test_a_twin_that_looks_equal_breaks_it(make_records: MakeRecords) -> None:
    assert find_failed(twins(make_records, 1.0)) == ["verdict", "ratio"]


def test_a_twin_whose_difference_comes_out_too_large_breaks_it(make_records: MakeRecords) -> None:
    assert find_failed(twins(make_records, 1.05)) == ["ratio"]


def test_a_twin_that_noise_hides_breaks_it(make_records: MakeRecords) -> None:
    assert find_failed(twins(make_records, 1.03, noise=0.2)) == ["verdict"]


def test_twins_are_measured_until_a_sweep_would_stop(make_records: MakeRecords) -> None:
    check = slowdown.make_check()
    records = make_records([(cell, 1e6) for cell in slowdown.CELLS], blocks=8, noise=0.001)
    assert [check.enough(records, block) for block in (7, 8)] == [False, True]
