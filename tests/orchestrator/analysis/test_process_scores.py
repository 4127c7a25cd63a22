"""Selection of the processes behind a cell's numbers: those that its result counts."""

from collections.abc import Callable

from orchestrator.analysis.derivation.process import derive_processes
from orchestrator.analysis.process_scores import group_by_cell, select_measured_jobs
from schemas.job import Cell
from schemas.record import JobRecord

MakeRecord = Callable[..., JobRecord]


def test_each_cell_has_its_jobs_in_their_order(make_cell: Callable[..., Cell], make_record: MakeRecord) -> None:
    one, other = make_cell(), make_cell("torch:eager")
    records = [make_record(cell, block) for block in (1, 2) for cell in (one, other)]
    assert group_by_cell(records) == {
        one.id: derive_processes([records[0], records[2]]),
        other.id: derive_processes([records[1], records[3]]),
    }


def test_a_job_that_only_filled_a_cache_does_not_count_unless_it_failed(make_record: MakeRecord) -> None:
    filled, failed = make_record(block=0), make_record(block=0, outcome="killed")
    assert group_by_cell([filled]) == {}
    assert group_by_cell([failed]) == {failed.spec.cell.id: derive_processes([failed])}


def test_a_job_that_was_not_measured_has_no_measurement(make_record: MakeRecord) -> None:
    measured, killed, wrong = (make_record(outcome=outcome) for outcome in ("measured", "killed", "wrong"))
    assert select_measured_jobs([killed, measured, wrong]) == derive_processes([measured])
