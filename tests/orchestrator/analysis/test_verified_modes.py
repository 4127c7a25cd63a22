"""Verified outcomes as shown by `list`, from records with the newest first."""

from collections.abc import Callable

from orchestrator.analysis.verified_modes import find_verified_outcomes
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]
MakeReport = Callable[..., Report]


def test_each_mode_has_what_came_of_it_by_workload_and_task(
    make_cell: MakeCell, make_record: MakeRecord, make_report: MakeReport
) -> None:
    wrong = make_report(verification={"checks": (), "reason": "off"})
    records = [
        make_record(make_cell("torch:trace", workload="mlp", task="forward")),
        make_record(make_cell("torch:trace", workload="rnn"), outcome="wrong", result=wrong),
        make_record(make_cell("torch:eager", workload="mlp")),
    ]
    assert find_verified_outcomes(records) == {
        "torch:trace": {"mlp": {"forward": "measured"}, "rnn": {"backward": "wrong"}},
        "torch:eager": {"mlp": {"backward": "measured"}},
    }


def test_the_newest_record_counts(make_cell: MakeCell, make_record: MakeRecord) -> None:
    cell = make_cell("torch:trace", workload="mlp")
    assert (
        find_verified_outcomes([make_record(cell, outcome="raised"), make_record(cell)])["torch:trace"]["mlp"][
            "backward"
        ]
        == "raised"
    )


def test_a_doubted_time_was_taken_of_a_right_result(
    make_cell: MakeCell, make_record: MakeRecord, make_report: MakeReport
) -> None:
    doubted = make_record(make_cell("torch:eager", workload="mlp"), outcome="nonlinear", result=make_report())
    assert find_verified_outcomes([doubted])["torch:eager"]["mlp"]["backward"] == "measured"


def test_a_job_that_somebody_stopped_says_nothing_of_its_mode(make_cell: MakeCell, make_record: MakeRecord) -> None:
    cell = make_cell("torch:eager", workload="mlp")
    assert find_verified_outcomes([make_record(cell, outcome=outcome) for outcome in ("skipped", "interrupted")]) == {}
