"""Checks of made-up records: which of them pass, and which fail."""

from collections.abc import Callable
from itertools import chain

import pytest

from orchestrator.selftest.check import Check
from orchestrator.selftest.checks import latency
from orchestrator.selftest.run import CHECK_MAKERS
from schemas.record import JobRecord

MakeRecord = Callable[..., JobRecord]


MakeRecords = Callable[..., list[JobRecord]]


LIVE = [check() for check in CHECK_MAKERS]


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
