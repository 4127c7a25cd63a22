"""A run with its results: the attempts that count, the groups, and the mark of a run of several parts."""

from collections.abc import Callable

import pytest

from orchestrator.analysis.derivation.process import derive_process
from orchestrator.analysis.run import Run
from orchestrator.errors import UsageError
from orchestrator.records.store import Store, job_name
from schemas.job import Cell
from schemas.machine_type import identify_type
from schemas.record import JobRecord
from tests.orchestrator.conftest import a_manifest, a_run

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]
MakeRecords = Callable[..., list[JobRecord]]


def test_of_several_attempts_the_last_counts_and_all_are_kept(make_record: MakeRecord) -> None:
    lost = make_record(outcome="killed")
    again = make_record(spec=lost.spec.model_copy(update={"attempt": 2}))
    run = a_run(a_manifest([lost.spec.cell]), [again, lost])
    assert run.records == (again, lost)
    assert run.last_attempts == (derive_process(again),)
    assert run.measured_jobs == run.jobs == {lost.spec.cell.id: [derive_process(again)]}
    (result,) = run.cells
    assert (result.outcome, result.jobs) == ("measured", 1)


def test_a_cell_whose_jobs_all_failed_has_no_measured_jobs(make_record: MakeRecord) -> None:
    failed = make_record(outcome="raised")
    run = a_run(a_manifest([failed.spec.cell]), [failed])
    assert run.jobs == {failed.spec.cell.id: [derive_process(failed)]}
    assert run.measured_jobs == {}
    assert run.measured_ids == frozenset()


def test_results_are_computed_once(make_cell: MakeCell, make_records: MakeRecords) -> None:
    run = a_run(a_manifest([make_cell()]), make_records([(make_cell(), 1000)]))
    assert run.groups is run.groups
    assert run.last_attempts is run.last_attempts


def test_results_are_those_that_the_sweep_asked_for(make_cell: MakeCell, make_records: MakeRecords) -> None:
    cells = [make_cell("torch:eager"), make_cell("torch:script")]
    manifest = a_manifest(cells, sweep={"baseline": "torch:script", "margin": 0.5, "rank_by": "footprint"})
    (group,) = a_run(manifest, make_records([(cells[0], 1000), (cells[1], 1100)])).groups
    assert group.baseline == "torch:script"
    assert group.comparisons[0].verdict == "DIFFERENT-BUT-SMALL"
    assert group.by_memory is not None


def test_a_run_of_several_parts_is_marked_wherever_its_results_go(
    make_cell: MakeCell, make_records: MakeRecords
) -> None:
    records = make_records([(make_cell(), 1000)])
    whole, mixed = (
        a_run(a_manifest([make_cell()], mixed=parts), records) for parts in ((), ("the kernel is another",))
    )
    assert (whole.mixed, mixed.mixed) == ((), ("the kernel is another",))
    assert [group.title for group in mixed.groups] == [f"MIXED: {group.title}" for group in whole.groups]
    for per in ("cell", "job", "sample"):
        assert {row["mixed"] for row in whole.rows(per)} == {False}
        assert {row["mixed"] for row in mixed.rows(per)} == {True}


def test_records_of_another_type_of_machine_are_named_and_never_averaged(
    make_cell: MakeCell, make_records: MakeRecords, make_run: Callable[..., Store]
) -> None:
    records = make_records([(make_cell("torch:eager"), 100.0), (make_cell("numpy:eager"), 200.0)])
    place = make_run("mixed", records)
    moved, updated = records[-1], records[-2]
    elsewhere = moved.host.model_copy(update={"cpu_flags": ("avx512f",)})
    place.write_record(moved.model_copy(update={"host": elsewhere}))
    # Another version of a package changes the fingerprint, and not the type.
    place.write_record(
        updated.model_copy(update={"host": updated.host.model_copy(update={"packages": {"torch": "1"}})})
    )
    run = Run.from_store(place)
    assert len(run.records) == len(records) - 1
    (reason,) = run.skipped
    assert reason.endswith(f" was measured on another type of machine: {identify_type(elsewhere).label}")
    assert f"{moved.spec.block:03}-{moved.spec.cell.id} " in reason


def test_rows_name_the_type_of_the_machine(make_cell: MakeCell, make_records: MakeRecords) -> None:
    records = make_records([(make_cell(), 100.0)])
    run = a_run(a_manifest([records[0].spec.cell]), records)
    assert {row["machine_type"] for row in run.rows()} == {identify_type(run.manifest.host).content_hash}
    assert run.machine_type == identify_type(run.manifest.host)


def test_a_job_is_found_by_its_name_or_part_of_it(make_cell: MakeCell, make_record: MakeRecord) -> None:
    records = [make_record(make_cell(label), 1) for label in ("numpy:eager", "synthetic:spin")]
    run, wanted = a_run(a_manifest(record.spec.cell for record in records), records), job_name(records[1].spec)
    assert wanted.startswith("001-synthetic-spin-mlp")
    assert run.find_record("spin") is records[1]
    assert run.find_record(wanted) is records[1]
    with pytest.raises(UsageError, match="several jobs match"):
        run.find_record("001")
    with pytest.raises(UsageError, match=r"no job matches '002-'.*001-numpy"):
        run.find_record("002-")
