"""An outcome is that of the report, or fits the end of the process; what a record cannot show is believed."""

from collections.abc import Mapping

import pytest

from orchestrator.export.publication.outcomes import find_false_outcomes
from schemas.record import JobRecord
from tests.orchestrator.conftest import a_cell
from tests.orchestrator.export.publication.forging import WRONG, Clock, a_job, noisy_report

STOPPED = {"phases": [{"name": "steady", "wall_ns": 10**8, "cpu_ns": 10**8, "stopped_ns": 10**9}]}


def a_record(outcome: str, report: Mapping[str, object] | None, **outside: object) -> JobRecord:
    clock = Clock()
    result = None if report is None else noisy_report(1, 1000, **report)
    return a_job(clock, a_cell(), 1, 1000, outcome, result=result, outside=clock.observe(outcome) | outside)


@pytest.mark.parametrize(
    "record",
    [
        a_record("measured", {}),
        a_record("wrong", WRONG),
        a_record("recompiled", {"compilations": 3}),
        a_record("implausible", {"unseen": 9.0}),
        a_record("implausible", {}),
        a_record("stopped", STOPPED),
        a_record("stopped", {}, suspended_ns=10**9),
        a_record("out-of-memory", {}, group_kills=1),
        a_record("interrupted", {}),
        a_record("raised", None),
        a_record("timeout", None, exit_status=-9),
        a_record("killed", None, exit_status=-11),
        a_record("no-report", None, exit_status=1),
        a_record("garbled", None, last_phase="report"),
        a_record("killed", None, exit_status=None),
        a_record("raised", None).model_copy(update={"outside": None}),
    ],
    ids=lambda record: f"{record.outcome} {record.report is not None}",
)
def test_an_honest_outcome_fits_its_record(record: JobRecord) -> None:
    assert list(find_false_outcomes([record])) == []


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (a_record("measured", WRONG), "counts as measured, and its report says wrong"),
        (a_record("raised", {}), "counts as raised, and its report says measured"),
        (a_record("wrong", {}), "counts as wrong, and its report says measured"),
        (a_record("implausible", WRONG), "counts as implausible, and its report says wrong"),
        (a_record("stopped", {}), "counts as stopped, and its report says measured"),
        (a_record("out-of-memory", {}), "counts as out-of-memory, and its report says measured"),
        (a_record("raised", None, last_phase="report"), "was raised, although its process ended by itself after"),
        (a_record("killed", None, exit_status=1), "was killed, although its process ended by itself with status 1"),
        (a_record("no-report", None, exit_status=-9), "sent no report, although a signal ended its process"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_relabelled_record_is_named(record: JobRecord, sentence: str) -> None:
    (found,) = find_false_outcomes([record])
    assert sentence in found
