"""The check of a disturbed cell, on made-up records."""

import random
from collections.abc import Callable

import pytest

from orchestrator.selftest.checks import interference
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.selftest.readings import find_failed, find_value
from tests.orchestrator.selftest.test_checks import LIVE, MakeRecord

MakeReport = Callable[..., Report]


@pytest.fixture
def hogs(make_record: MakeRecord, make_report: MakeReport) -> Callable[..., list[JobRecord]]:
    """Make eight blocks of the hog's three cells; a share of the hogged one's samples waited for its core.

    With a share of one, all samples waited. Otherwise the first, which is the fastest, did not.
    """

    def sampled(cell: Cell, block: int, call_ns: int, share: float, filtered: float, waited: bool) -> JobRecord:
        rng = random.Random(f"{cell.id}/{block}")
        hit = [rng.random() < share for _ in range(60)]
        work = [round(100 * call_ns * (1 + rng.random() / 50)) for _ in hit]
        took = [2 * ns if lost else round(ns * filtered) for ns, lost in zip(work, hit, strict=True)]
        if share < 1:
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

    def make(
        share: float = 0.45, filtered: float = 1.0, waited: bool = True, slower_ns: int = 9000, hogged_ns: int = 7000
    ) -> list[JobRecord]:
        return [
            record
            for block in range(1, 9)
            for record in (
                sampled(interference.QUIET, block, 7000, 0.0, 1.0, waited=True),
                sampled(interference.HOGGED, block, hogged_ns + (-1) ** block * block, share, filtered, waited=waited),
                sampled(interference.SLOWER, block, slower_ns + block, 0.0, 1.0, waited=True),
            )
        ]

    return make


def test_a_hog_that_is_noticed_and_left_out_passes(hogs: Callable[..., list[JobRecord]]) -> None:
    readings = interference.judge_records(hogs())
    assert find_failed(readings) == []
    assert find_value(readings, "grade").startswith("C")
    assert find_value(readings, "same cell") == "EQUIVALENT"
    assert find_value(readings, "slower cell") == "FASTER"


def test_a_hog_that_leaves_no_sample_alone_causes_no_claim(hogs: Callable[..., list[JobRecord]]) -> None:
    readings = interference.judge_records(hogs(share=1.0))
    assert find_value(readings, "same cell") == "UNRESOLVED"
    assert not any(failed.startswith("same cell") for failed in find_failed(readings))


def test_a_claim_about_the_same_cell_breaks_it(hogs: Callable[..., list[JobRecord]]) -> None:
    (failed,) = find_failed(interference.judge_records(hogs(hogged_ns=7400)))
    assert failed.startswith("same cell, ratio 1.05")


def test_a_hog_that_the_counters_do_not_show_breaks_it(hogs: Callable[..., list[JobRecord]]) -> None:
    assert {"disturbed samples", "grade", "filtered mean/floor"} <= set(
        find_failed(interference.judge_records(hogs(waited=False)))
    )


def test_a_typical_time_that_is_disturbed_after_filtering_breaks_it(hogs: Callable[..., list[JobRecord]]) -> None:
    assert "filtered typical/floor" in find_failed(interference.judge_records(hogs(filtered=1.05)))


def test_a_clear_difference_that_is_not_claimed_breaks_it(hogs: Callable[..., list[JobRecord]]) -> None:
    (verdict,) = find_failed(interference.judge_records(hogs(slower_ns=6900)))
    assert verdict.startswith("slower cell")


def test_the_hogged_cell_and_no_other_runs_beside_the_hog() -> None:
    assert interference.make_check().hogged == {interference.HOGGED.id}
    assert [check.name for check in LIVE if check.hogged] == [interference.make_check().name]
