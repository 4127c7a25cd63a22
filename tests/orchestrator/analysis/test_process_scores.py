"""Selection of the processes behind a cell's numbers: those that its result counts."""

from collections.abc import Callable

from orchestrator.analysis.process_scores import collect_measured_jobs
from schemas.job import Cell
from schemas.record import JobRecord

MakeRecord = Callable[..., JobRecord]


def test_each_cell_has_its_measured_jobs_in_their_order(
    make_cell: Callable[..., Cell], make_record: MakeRecord
) -> None:
    one, other = make_cell(), make_cell("torch:eager")
    records = [make_record(cell, block) for block in (1, 2) for cell in (one, other)]
    assert collect_measured_jobs(records) == {one.id: (records[0], records[2]), other.id: (records[1], records[3])}


def test_a_job_that_only_filled_a_cache_or_was_not_measured_is_none_of_them(
    make_cell: Callable[..., Cell], make_record: MakeRecord
) -> None:
    cell = make_cell()
    records = [make_record(cell, 0), make_record(cell, 1, outcome="killed"), make_record(cell, 2, outcome="wrong")]
    assert collect_measured_jobs(records) == {}


def test_of_several_attempts_the_last_counts(make_record: MakeRecord, make_spec: Callable[..., object]) -> None:
    lost = make_record(outcome="killed")
    again = make_record(spec=lost.spec.model_copy(update={"attempt": 2}))
    assert collect_measured_jobs([lost, again]) == {lost.spec.cell.id: (again,)}
