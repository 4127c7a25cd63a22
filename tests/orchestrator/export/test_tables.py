"""The three table formats: their consumers read them, and they state the run's results."""

import csv
import io
import json
from typing import Any

import pandas as pd
import pyarrow.parquet
import pytest

from orchestrator.analysis.rows import Per
from orchestrator.analysis.run import Run
from orchestrator.export import convert_run
from orchestrator.export.csv import format_value
from tests.orchestrator.export.conftest import BLOCKS

PERS: tuple[Per, ...] = ("cell", "job", "sample")
UNSOUND = ("jax:jit", "numpy:eager", "openvino:compiled")


def read_csv(content: bytes) -> list[dict[str, Any]]:
    frame = pd.read_csv(io.BytesIO(content))
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def read_parquet(content: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()
    return rows


def read_jsonl(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.decode().splitlines()]


def in_csv(value: object) -> object:
    """Return a value as CSV returns it: empty and missing values look the same."""
    assert value is None or isinstance(value, str | int | float)
    return None if value == "" else format_value(value)


READERS = {"csv": read_csv, "parquet": read_parquet, "jsonl": read_jsonl}


@pytest.mark.parametrize("per", PERS)
@pytest.mark.parametrize("form", READERS)
def test_a_table_round_trips_through_its_reader(run: Run, form: str, per: Per) -> None:
    kept = in_csv if form == "csv" else lambda value: value
    expected = [
        {name: value if isinstance(value, bool) else kept(value) for name, value in row.items()}
        for row in run.rows(per)
    ]
    found = READERS[form](convert_run(run, form, per))
    for got, said in zip(found, expected, strict=True):
        assert got == said


@pytest.mark.parametrize("form", READERS)
def test_a_cell_that_is_not_measured_has_its_outcome_and_reason_and_no_figure(run: Run, form: str) -> None:
    rows = {row["label"]: row for row in READERS[form](convert_run(run, form, "cell"))}
    assert {label: rows[label]["outcome"] for label in UNSOUND} == dict(
        zip(UNSOUND, ("wrong", "unsupported", "raised"), strict=True)
    )
    for label in UNSOUND:
        assert rows[label]["reason"]
        figures = {
            name for name, value in rows[label].items() if name.endswith(("_ns", "_bytes")) and value is not None
        }
        assert figures <= {"loop_overhead_ns"}
        assert rows[label]["ratio"] is None


def test_jobs_of_a_wrong_cell_have_no_time_even_where_they_were_measured(run: Run) -> None:
    jobs = [row for row in run.rows("job") if row["label"] == "jax:jit"]
    assert [row["outcome"] for row in jobs] == ["measured", "wrong"]
    assert {row["floor_ns"] for row in jobs} == {None}
    assert not [row for row in run.rows("sample") if row["label"] in UNSOUND]


def test_the_figures_of_a_cell_are_those_that_show_prints(run: Run) -> None:
    rows = {row["label"]: row for row in run.rows()}
    result = run.groups[0].result("torch:script")
    row = rows["torch:script"]
    assert (row["floor_ns"], row["floor_low_ns"]) == (result.floor_ns.estimate, result.floor_ns.low)
    assert (row["processes"], row["grade"], row["verdict"]) == (result.jobs, "C", "SLOWER")
    assert rows["torch:eager"]["step_peak_bytes"] == 54.5 * (1 << 20)
    assert (rows["torch:eager"]["rank_best"], rows["torch:eager"]["baseline"]) == (1, "torch:eager")


def test_a_job_says_whether_it_counts(run: Run) -> None:
    jobs = [row for row in run.rows("job") if row["label"] == "torch:script"]
    counts = {(row["block"], row["attempt"]): row["counts"] for row in jobs}
    assert len(counts) == BLOCKS + 1
    assert [job for job, value in counts.items() if not value] == [(3, 1), (4, 1)]
    assert jobs[2]["floor_ns"] == pytest.approx(1500, rel=0.05)


def test_samples_are_all_there_and_say_what_disturbed_them(run: Run) -> None:
    samples = run.rows("sample")
    assert len(samples) == 3 * BLOCKS * 3
    assert samples[0]["call_ns"] == samples[0]["sample_ns"] / samples[0]["calls"]  # type: ignore[operator]
    assert {row["disturbed"] for row in samples} == {False}


def test_every_row_has_every_column_and_parameters_stand_with_the_cell(run: Run) -> None:
    for per in PERS:
        rows = run.rows(per)
        assert {tuple(row) for row in rows} == {tuple(rows[0])}
        columns = list(rows[0])
        assert columns[columns.index("replica") + 1] == "parameter_depth"


def test_neither_a_spreadsheet_nor_a_terminal_obeys_a_reason(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(convert_run(run, "csv", "cell").decode(), newline="")))
    reasons = [row["reason"] for row in rows if row["label"] in UNSOUND]
    assert "'=cmd()\N{REPLACEMENT CHARACTER}[2J" in reasons
    assert 'no "|" here\n=1+1' in reasons


def test_types_do_not_depend_on_which_values_a_run_has(run: Run) -> None:
    schema = pyarrow.parquet.read_schema(io.BytesIO(convert_run(run, "parquet", "cell")))
    kinds = {str(schema.field(name).type) for name in schema.names if name.endswith(("_ns", "_bytes"))}
    assert kinds == {"double"}
    assert str(schema.field("latency_p99_ns").type) == "double"
    assert str(schema.field("batch").type) == "int64"


def test_a_frame_is_the_same_table(run: Run) -> None:
    frame = run.frame("job")
    assert list(frame.columns) == list(run.rows("job")[0])
    assert len(frame) == len(run.records)
    assert frame[frame.counts].groupby("label").floor_ns.count().to_dict() == {
        "torch:eager": BLOCKS,
        "torch:eager (A/A)": BLOCKS,
        "torch:script": BLOCKS - 1,
    }


@pytest.mark.parametrize("per", PERS)
@pytest.mark.parametrize("form", READERS)
def test_each_row_of_a_mixed_run_is_marked(run: Run, mixed: Run, form: str, per: Per) -> None:
    for each, mark in ((run, False), (mixed, True)):
        rows = READERS[form](convert_run(each, form, per))
        assert rows
        assert {row["mixed"] for row in rows} == {mark}
