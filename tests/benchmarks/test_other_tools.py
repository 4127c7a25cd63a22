"""Decision rules of other tools, on numbers with a known answer."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from orchestrator.analysis.statistics.intervals import Floats
from orchestrator.records.store import Store
from orchestrator.selftest.false_positives import EXPERIMENT_BLOCKS, cut_experiments
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord
from tests.benchmarks import other_tools
from tests.benchmarks.other_tools import compute_rates, criterion_differs, pyperf_differs, torch_differs

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]
MakeRecords = Callable[..., list[JobRecord]]

RULES = [pyperf_differs, criterion_differs, torch_differs]


def times(mean: float, spread: float = 0.01, count: int = 40, seed: int = 1) -> Floats:
    return np.asarray(mean * (1 + spread * np.random.default_rng(seed).standard_normal(count)))


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_finds_what_is_far_apart_whichever_comes_first(rule: type) -> None:
    assert rule(times(10_000), times(11_000, seed=2))
    assert rule(times(11_000), times(10_000, seed=2))


@pytest.mark.parametrize("rule", RULES)
def test_no_rule_tells_a_set_of_times_from_itself(rule: type) -> None:
    assert not rule(times(10_000), times(10_000))


def test_pyperf_compares_t_with_the_level_that_it_prints() -> None:
    one = np.array([1.0, 2.0, 3.0])
    critical = 2.776  # of four degrees of freedom, as in pyperf's own table
    error = np.sqrt(one.var(ddof=1) / 3 * 2)
    assert not pyperf_differs(one, one + 0.99 * critical * error)
    assert pyperf_differs(one, one + 1.01 * critical * error)


def test_criterion_ignores_a_certain_change_of_less_than_one_per_cent() -> None:
    one = times(10_000, spread=0.001)
    assert pyperf_differs(one, 1.008 * one)
    assert not criterion_differs(one, 1.008 * one)
    assert criterion_differs(one, 1.02 * one)


def test_criterion_ignores_a_change_whose_interval_reaches_into_the_threshold() -> None:
    assert not criterion_differs(times(10_000, spread=0.02, count=10), times(10_150, spread=0.02, count=10, seed=2))


def test_torch_holds_no_interval_to_be_narrower_than_25_ns() -> None:
    one = np.full(20, 1000.0)
    assert not torch_differs(one, one + 49)
    assert torch_differs(one, one + 51)


def test_torch_looks_at_the_middle_half_only() -> None:
    one = np.concatenate([np.full(4, 1.0), np.full(8, 1e6), np.full(4, 9e9)])
    assert torch_differs(one, one + 51)


@pytest.fixture
def clones(make_cell: MakeCell) -> list[Cell]:
    return [make_cell(replica=replica) for replica in range(6)]


def test_trials_are_pairs_crossed_halves_and_single_processes(clones: list[Cell], make_records: MakeRecords) -> None:
    records = make_records([(cell, 1e5) for cell in clones], blocks=2 * EXPERIMENT_BLOCKS)
    rates = compute_rates(cut_experiments(records, clones))
    assert [rate.trials for rate in rates] == [30, 60, 30 * EXPERIMENT_BLOCKS, 30 * EXPERIMENT_BLOCKS]


def test_rules_that_take_samples_of_a_process_for_independent_are_fooled_by_it(
    clones: list[Cell], make_records: MakeRecords
) -> None:
    records = make_records([(cell, 1e5) for cell in clones], blocks=EXPERIMENT_BLOCKS, noise=0.03)
    *_, criterion, torch = compute_rates(cut_experiments(records, clones))
    assert min(rate.interval.low for rate in (criterion, torch)) > 0.3


def test_every_rule_tells_apart_clones_of_which_one_is_a_fifth_slower(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    pair = [make_cell(replica=replica) for replica in range(2)]
    records = make_records([(pair[0], 1e5), (pair[1], 1.2e5)], blocks=EXPERIMENT_BLOCKS)
    rates = compute_rates(cut_experiments(records, pair))
    assert all(rate.claims == rate.trials > 0 for rate in rates)


def test_samples_are_compared_per_call(
    make_cell: MakeCell, make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    pair = [make_cell(replica=replica) for replica in range(2)]
    reports = (make_report(10_000), make_report(10_000, calls=200, samples_ns=(2_020_000, 2_000_000, 2_020_000)))
    records = [
        make_record(cell, block, result=report)
        for block in range(1, EXPERIMENT_BLOCKS + 1)
        for cell, report in zip(pair, reports, strict=True)
    ]
    assert all(rate.claims == 0 for rate in compute_rates(cut_experiments(records, pair)))


def test_the_rules_are_applied_to_a_run_on_disk(
    clones: list[Cell],
    make_records: MakeRecords,
    make_run: Callable[..., Store],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_run("selftest-aa", make_records([(cell, 1e5) for cell in clones], blocks=EXPERIMENT_BLOCKS))
    monkeypatch.setattr("sys.argv", ["other_tools.py", "latest", "--runs", str(tmp_path / "runs")])
    other_tools.main()
    printed = capsys.readouterr().out
    for text in ("a pair by itself", "torch, one process each", "0/15", "1 complete experiments"):
        assert text in printed
