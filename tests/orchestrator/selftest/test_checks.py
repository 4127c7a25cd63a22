"""Checks of made-up records: which of them pass, and which fail."""

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import chain

import pytest

from orchestrator.selftest.check import Check, Reading
from orchestrator.selftest.checks import aa, interference, latency, outcomes, slowdown
from orchestrator.selftest.run import CHECK_MAKERS
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord

MakeRecord = Callable[..., JobRecord]
MakeRecords = Callable[..., list[JobRecord]]
MakeReport = Callable[..., Report]

LIVE = [check() for check in CHECK_MAKERS]


def find_failed(readings: Sequence[Reading]) -> list[str]:
    """Return the names of the failed readings."""
    return [reading.quantity for reading in readings if reading.passed is False]


def find_value(readings: Sequence[Reading], what: str) -> str:
    """Return the value that one reading found."""
    return next(reading.found for reading in readings if reading.quantity.startswith(what))


@pytest.mark.parametrize("check", LIVE, ids=lambda check: check.name)
def test_a_check_of_which_nothing_was_measured_fails_and_says_so(check: Check) -> None:
    readings = check.judge([])
    assert readings
    assert all(reading.passed is False and reading.found == "not run" for reading in readings)


def test_no_two_checks_share_a_cell_whose_records_would_overwrite_each_other() -> None:
    cells = list(chain.from_iterable(check.cells for check in LIVE))
    assert len({cell.id for cell in cells}) == len(cells)


def test_a_cell_that_failed_is_named_with_its_reason(make_record: MakeRecord) -> None:
    records = [make_record(cell, call_ns=10**6) for cell in latency.CELLS[1:]]
    records.append(make_record(latency.CELLS[0], outcome="raised"))
    (reading,) = latency.make_check().judge(records)
    assert reading.found == "raised: because it was raised"
    assert "spin_ns=10000" in reading.quantity


# Known latencies


@pytest.fixture
def spun(make_record: MakeRecord) -> Callable[..., Sequence[Reading]]:
    """Judge latencies that take 300 ns more than they should, except for those in `instead`."""

    def judged(instead: Mapping[int, int] | None = None) -> Sequence[Reading]:
        took = {truth: truth + 300 for truth in latency.LATENCIES_NS} | dict(instead or {})
        cells = zip(latency.CELLS, took.values(), strict=True)
        return latency.judge_records(
            [make_record(cell, block, call_ns=ns) for cell, ns in cells for block in (1, 2, 3)]
        )

    return judged


def test_latencies_that_only_have_the_same_time_on_top_pass(spun: Callable[..., Sequence[Reading]]) -> None:
    assert find_failed(spun()) == []
    assert "300 ns overhead" in find_value(spun(), "10.0 µs")


@pytest.mark.parametrize("truth", latency.LATENCIES_NS[1:])
def test_a_latency_that_is_missed_by_a_hundredth_breaks_it(spun: Callable[..., Sequence[Reading]], truth: int) -> None:
    assert find_failed(spun({truth: truth * 101 // 100}))
    assert find_failed(spun({truth: truth * 99 // 100}))


def test_a_call_that_is_shorter_than_it_can_be_breaks_it(spun: Callable[..., Sequence[Reading]]) -> None:
    assert find_failed(spun({10_000: 9_990})) == ["10.0 µs call"]


# A twin


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


# Clones


def test_clones_that_differ_by_chance_pass(make_records: MakeRecords) -> None:
    readings = aa.judge_records(make_records([(cell, 1e5) for cell in aa.CELLS], noise=0.01))
    assert find_failed(readings) == []
    assert find_value(readings, "claims about 15 pairs").startswith("none")


def test_a_clone_that_is_called_slower_breaks_it(make_records: MakeRecords) -> None:
    times = [(cell, 1e5) for cell in aa.CELLS[:5]] + [(aa.CELLS[5], 1.05e5)]
    readings = aa.judge_records(make_records(times))
    assert find_failed(readings) == ["claims about 15 pairs"]
    assert "5 SLOWER" in find_value(readings, "claims")


# A hog


@pytest.fixture
def hogs(make_record: MakeRecord, make_report: MakeReport) -> Callable[..., list[JobRecord]]:
    """Make eight blocks of the hog's three cells; a share of the hogged one's samples waited for its core."""

    def sampled(cell: Cell, block: int, call_ns: int, share: float, filtered: float, waited: bool) -> JobRecord:
        rng = random.Random(f"{cell.id}/{block}")
        hit = [rng.random() < share for _ in range(60)]
        work = [round(100 * call_ns * (1 + rng.random() / 50)) for _ in hit]
        took = [2 * ns if lost else round(ns * filtered) for ns, lost in zip(work, hit, strict=True)]
        took[0], hit[0] = 100 * call_ns, False
        lost_ns = [ns // 2 if lost and waited else 0 for ns, lost in zip(took, hit, strict=True)]
        noise = {
            "run_delay_ns": lost_ns,
            "steal_ns": [0] * 60,
            "pressure_ns": [0] * 60,
            "canary_ns": [9] * 60,
            "cpu_ns": [ns - lost for ns, lost in zip(took, lost_ns, strict=True)],
            "involuntary_switches": 0,
            "major_faults": 0,
            "migrations": 0,
            "throttled": 0,
            "threads": 1,
        }
        report = make_report(call_ns, samples_ns=tuple(took), noise=noise)
        return make_record(cell, block, result=report)

    def make(share: float = 0.45, filtered: float = 1.0, waited: bool = True, slower_ns: int = 9000) -> list[JobRecord]:
        return [
            record
            for block in range(1, 9)
            for record in (
                sampled(interference.QUIET, block, 7000, 0.0, 1.0, waited=True),
                sampled(interference.HOGGED, block, 7000 + block, share, filtered, waited=waited),
                sampled(interference.SLOWER, block, slower_ns + block, 0.0, 1.0, waited=True),
            )
        ]

    return make


def test_a_hog_that_is_noticed_and_left_out_passes(hogs: Callable[..., list[JobRecord]]) -> None:
    readings = interference.judge_records(hogs())
    assert find_failed(readings) == []
    assert find_value(readings, "grade").startswith("C")
    assert "UNRESOLVED, FASTER but for its grade" in find_value(readings, "verdict")


def test_a_hog_that_the_counters_do_not_show_breaks_it(hogs: Callable[..., list[JobRecord]]) -> None:
    assert {"disturbed samples", "grade", "filtered mean/floor"} <= set(
        find_failed(interference.judge_records(hogs(waited=False)))
    )


def test_a_typical_time_that_is_disturbed_after_filtering_breaks_it(hogs: Callable[..., list[JobRecord]]) -> None:
    assert "filtered typical/floor" in find_failed(interference.judge_records(hogs(filtered=1.05)))


def test_a_claim_that_nobody_would_have_made_does_not_count_as_withheld(hogs: Callable[..., list[JobRecord]]) -> None:
    (verdict,) = find_failed(interference.judge_records(hogs(slower_ns=6900)))
    assert verdict.startswith("verdict")


def test_the_hogged_cell_and_no_other_runs_beside_the_hog() -> None:
    assert interference.make_check().hogged == {interference.HOGGED.id}
    assert [check.name for check in LIVE if check.hogged] == [interference.make_check().name]


# Outcomes


def test_cheats_and_faults_that_end_as_they_should_pass(make_record: MakeRecord) -> None:
    assert (
        find_failed(
            outcomes.judge_records([make_record(cell, outcome=outcome) for cell, outcome in outcomes.EXPECTED_OUTCOMES])
        )
        == []
    )


@pytest.mark.parametrize("cheat", outcomes.CHEATS)
def test_a_cheat_that_is_taken_for_a_measurement_breaks_it(make_record: MakeRecord, cheat: str) -> None:
    records = [
        make_record(cell, outcome="measured" if cell.mode == cheat and cell.batch == 64 else outcome)
        for cell, outcome in outcomes.EXPECTED_OUTCOMES
    ]
    assert find_failed(outcomes.judge_records(records)) == [f"{cheat}, mlp, batch 64"]


def test_an_outcome_that_is_not_the_expected_one_is_shown_with_its_reason(make_record: MakeRecord) -> None:
    reading = outcomes.judge_outcome(
        outcomes.EXPECTED_OUTCOMES[0][0], "wrong", [make_record(outcomes.EXPECTED_OUTCOMES[0][0], outcome="killed")]
    )
    assert (reading.passed, reading.found) == (False, "killed: because it was killed")
