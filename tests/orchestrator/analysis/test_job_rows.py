"""Rows of jobs and samples: raw figures of one process, with what counts and what was disturbed."""

import math
from collections.abc import Callable

import pytest

from orchestrator.analysis.job_rows import Row, build_job_row, build_sample_rows, cell_to_columns
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord

MakeRecord = Callable[..., JobRecord]
MakeReport = Callable[..., Report]


def job_row(record: JobRecord, *, sound: bool = True) -> Row:
    return build_job_row(record, canary_ns=9, sound=sound)


def test_a_cell_is_named_by_its_id_its_label_and_every_field_with_its_parameters_apart(
    make_cell: Callable[..., Cell],
) -> None:
    cell = make_cell("torch:eager", parameters={"depth": 3, "width": 8})
    row = cell_to_columns(cell)
    assert (row["cell"], row["label"]) == (cell.id, "torch:eager")
    assert {name: row[name] for name in ("parameter_depth", "parameter_width")} == {
        "parameter_depth": 3,
        "parameter_width": 8,
    }
    assert row.keys() >= {*Cell.model_fields} - {"parameters"}
    assert "parameters" not in row


def test_the_figures_of_a_job_are_nanoseconds_per_call(make_record: MakeRecord) -> None:
    row = job_row(make_record(call_ns=1000))
    assert (row["samples"], row["calls"], row["counts"]) == (3, 100, True)
    assert row["floor_ns"] == pytest.approx(1000)
    assert row["median_ns"] == pytest.approx(1010)
    assert row["typical_ns"] == pytest.approx(1010)


def test_a_job_has_its_place_and_its_time_from_outside(make_record: MakeRecord) -> None:
    row = job_row(make_record(block=4))
    assert (row["block"], row["position"], row["attempt"]) == (4, 0, 1)
    assert (row["job_started"], row["job_ns"]) == ("2025-01-01T00:00:00", 2 * 10**9)


def test_a_job_has_the_time_of_each_phase_and_the_versions(make_record: MakeRecord) -> None:
    row = job_row(make_record())
    assert (row["phase_import_ns"], row["phase_first_call_ns"]) == (10**8, 10**6)
    assert row["versions"] == "numpy=2.0"


@pytest.mark.parametrize("outcome", ["raised", "timeout", "unsupported", "wrong"])
def test_a_job_that_was_not_measured_has_its_reason_and_no_figure(make_record: MakeRecord, outcome: str) -> None:
    row = job_row(make_record(outcome=outcome))
    assert (row["outcome"], row["reason"], row["counts"]) == (outcome, f"because it was {outcome}", False)
    assert not row.keys() & {"floor_ns", "typical_ns", "samples", "calls"}


def test_a_measured_job_of_a_cell_that_is_not_sound_has_no_figure(make_record: MakeRecord) -> None:
    row = job_row(make_record(), sound=False)
    assert (row["outcome"], row["counts"]) == ("measured", False)
    assert "floor_ns" not in row


def test_a_job_that_filled_a_cache_or_was_throttled_has_figures_that_do_not_count(
    make_record: MakeRecord, make_report: MakeReport
) -> None:
    stopped = make_report(noise=make_report().noise.model_dump() | {"throttled": 1})
    for record in (make_record(block=0), make_record(result=stopped)):
        row = job_row(record)
        assert row["counts"] is False
        assert row["floor_ns"] == pytest.approx(1000)


def test_a_job_that_never_started_has_no_time(make_record: MakeRecord) -> None:
    row = job_row(make_record(outcome="unsupported", outside=None))
    assert (row["job_started"], row["job_ns"]) == (None, None)


def test_a_report_counts_only_if_both_the_job_and_its_cell_are_good(make_record: MakeRecord) -> None:
    assert job_row(make_record())["counts"]
    for refused in (job_row(make_record(), sound=False), job_row(make_record(outcome="wrong"))):
        assert not refused["counts"]
        assert "floor_ns" not in refused


def test_each_sample_is_a_row_with_its_own_counters(make_record: MakeRecord, make_report: MakeReport) -> None:
    noise = make_report().noise.model_dump() | {
        "run_delay_ns": (0, 5000, 0),
        "steal_ns": (0, 0, 7),
        "cpu_ns": (101_000, 90_000, 101_000),
        "canary_ns": (9, 10, 11),
    }
    rows = [*build_sample_rows(make_record(result=make_report(noise=noise)), 9, sound=True)]
    assert [row["sample"] for row in rows] == [0, 1, 2]
    assert [row["sample_ns"] for row in rows] == [101_000, 100_000, 101_000]
    assert [row["call_ns"] for row in rows] == [1010, 1000, 1010]
    assert [row["canary_ns"] for row in rows] == [9, 10, 11]
    assert [row["disturbed"] for row in rows] == [False, True, True]
    assert [row["lost_share"] for row in rows] == [0, 0.05, 0]


def test_samples_of_a_burst_share_its_counters_and_have_their_own_cpu_time(
    make_record: MakeRecord, make_report: MakeReport
) -> None:
    noise = make_report().noise.model_dump() | {
        "burst": 2,
        "run_delay_ns": (50_000, 0),
        "steal_ns": (0, 7),
        "pressure_ns": (3, 4),
        "cpu_ns": (101_000, 90_000, 101_000),
        "canary_ns": (9, 10),
    }
    rows = [*build_sample_rows(make_record(result=make_report(noise=noise)), 9, sound=True)]
    assert [row["burst"] for row in rows] == [0, 0, 1]
    assert [row["canary_ns"] for row in rows] == [9, 9, 10]
    assert [row["run_delay_ns"] for row in rows] == [50_000, 50_000, 0]
    assert [row["lost_share"] for row in rows] == [0, 0.1, 0]
    assert [row["disturbed"] for row in rows] == [False, True, True]


def test_samples_of_what_does_not_count_are_left_out(make_record: MakeRecord) -> None:
    assert [*build_sample_rows(make_record(outcome="raised"), 9, sound=True)] == []
    assert [*build_sample_rows(make_record(), 9, sound=False)] == []


def test_a_sample_names_its_cell_and_its_process(make_record: MakeRecord) -> None:
    record = make_record(block=3)
    for row in build_sample_rows(record, 9, sound=True):
        assert (row["cell"], row["block"], row["attempt"], row["counts"]) == (record.spec.cell.id, 3, 1, True)


def test_every_figure_is_a_number_that_json_has(make_record: MakeRecord) -> None:
    for row in (job_row(make_record()), *build_sample_rows(make_record(), 9, sound=True)):
        assert all(math.isfinite(value) for value in row.values() if isinstance(value, float))


def test_a_phase_has_its_parts_as_far_as_they_are_counted(make_record: MakeRecord, make_report: MakeReport) -> None:
    counted = {"wall_ns": 100, "cpu_ns": 90, "main_cpu_ns": 60, "waiting_ns": 20, "io_ns": 5, "stopped_ns": 7}
    costs = [{"name": "import"} | counted, {"name": "build", "wall_ns": 9, "cpu_ns": 8}]
    row = job_row(make_record(result=make_report(phases=costs)))
    assert {name: value for name, value in row.items() if name.startswith("phase_")} == {
        "phase_import_ns": 100,
        "phase_import_cpu_ns": 90,
        "phase_import_waiting_ns": 20,
        "phase_import_io_ns": 5,
        "phase_import_asleep_ns": 15,
        "phase_import_stopped_ns": 7,
        "phase_build_ns": 9,
        "phase_build_cpu_ns": 8,
    }
