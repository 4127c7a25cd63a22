"""The document formats, checked against their consumers or their specifications."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from orchestrator.analysis.run import Run
from orchestrator.api import load
from orchestrator.cli.app import FORMATS
from orchestrator.errors import UsageError
from orchestrator.export import DOCUMENTS, TABLES, convert_run, list_omitted_cells
from orchestrator.records.store import Store
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.export.conftest import BLOCKS, MIXTURE

MEASURED = ["torch:eager", "torch:script", "torch:eager (A/A)"]
UNSOUND = ("jax:jit", "numpy:eager", "openvino:compiled")

# Bencher's reference for its format, restricted to the fields that it names.
BENCHER = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": {name: {"type": "number"} for name in ("value", "lower_value", "upper_value")},
            "required": ["value"],
            "additionalProperties": False,
        },
    },
}


def document(run: Run, name: str) -> Any:  # noqa: ANN401 (JSON has no common type)
    return json.loads(convert_run(run, name, None))


def labels(names: list[str]) -> list[str]:
    return [name.partition(",")[0] for name in names]


def pyperf(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "pyperf", *arguments], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def other(
    make_cell: Callable[..., Cell], make_records: Callable[..., list[JobRecord]], make_run: Callable[..., Store]
) -> Run:
    """Load a run of the first cell alone, twice as slow."""
    return load(make_run("slow", make_records([(make_cell("torch:eager"), 2000)], BLOCKS, seed=2)).folder)


def test_pyperf_compares_two_of_our_runs(tmp_path: Path, run: Run, other: Run) -> None:
    for name, exported in (("one", run), ("other", other)):
        (tmp_path / f"{name}.json").write_bytes(convert_run(exported, "pyperf", None))
    said = pyperf("compare_to", str(tmp_path / "one.json"), str(tmp_path / "other.json"))
    assert "2.00x slower" in said
    assert "ERROR" not in said
    assert "Ignored benchmarks (2)" in said


def test_pyperf_reads_our_processes_samples_and_warm_ups(tmp_path: Path, run: Run) -> None:
    (tmp_path / "run.json").write_bytes(convert_run(run, "pyperf", None))
    said = pyperf("stats", str(tmp_path / "run.json"))
    assert said.count("Number of run with values: 8") == 2
    assert said.count("Number of run with values: 7") == 1
    assert "Number of warmup per run: 2" in said
    assert "Minimum:" in said
    assert (
        labels([line for line in pyperf("check", str(tmp_path / "run.json")).splitlines() if ", mlp " in line])
        == MEASURED
    )
    assert "python_hash_seed: 0" in pyperf("metadata", str(tmp_path / "run.json"))


def test_a_value_of_pyperf_is_seconds_per_call(run: Run) -> None:
    first = document(run, "pyperf")["benchmarks"][0]
    values = [value for process in first["runs"] for value in process["values"]]
    assert min(values) * 1e9 == pytest.approx(1000, rel=0.02)
    assert first["runs"][0]["warmups"][0][1] * 1e9 == pytest.approx(9000, rel=0.02)


def test_bencher_has_each_measured_cell_with_its_interval(run: Run) -> None:
    found = document(run, "bencher")
    jsonschema.validate(found, BENCHER)
    assert labels(list(found)) == MEASURED
    latency = next(iter(found.values()))["latency"]
    assert latency["lower_value"] < latency["value"] < latency["upper_value"] < 1100
    assert next(iter(found.values()))["memory-step-peak"]["value"] == 54.5 * (1 << 20)


def test_an_interval_without_ends_is_exported_without_them(other: Run, tmp_path: Path) -> None:
    few = load(other.name, tmp_path / "runs")
    for name in ("bencher", "github-action-benchmark"):
        assert "Infinity" not in convert_run(few, name, None).decode()


def test_github_action_benchmark_has_what_its_reader_takes(run: Run) -> None:
    found = document(run, "github-action-benchmark")
    assert labels([entry["name"] for entry in found if entry["unit"] == "ns"]) == MEASURED
    for entry in found:
        assert set(entry) == {"name", "unit", "value", "range", "extra"}
        assert isinstance(entry["value"], float)
        assert re.fullmatch(r"± \d.+", entry["range"])  # its reader's pattern for ranges
        assert "machine" in entry["extra"]
    assert len({entry["name"] for entry in found}) == len(found)


def test_openmetrics_is_read_by_the_parser_of_prometheus(run: Run) -> None:
    families = {
        family.name: family for family in text_string_to_metric_families(convert_run(run, "openmetrics", None).decode())
    }
    floors = families["plumbline_call_floor_seconds"]
    assert (floors.type, floors.unit) == ("gauge", "seconds")
    assert len(floors.samples) == 3
    assert floors.samples[0].value == pytest.approx(1e-6, rel=0.02)
    assert floors.samples[0].labels["parameters"] == "depth=3"
    assert families["plumbline_memory_step_peak_bytes"].samples[0].value == 54.5 * (1 << 20)
    outcomes = {sample.labels["framework"]: sample.labels["outcome"] for sample in families["plumbline_cell"].samples}
    assert outcomes == {"torch": "measured", "jax": "wrong", "numpy": "unsupported", "openvino": "raised"}
    reasons = {sample.labels["reason"] for sample in families["plumbline_cell"].samples}
    assert 'no "|" here\n=1+1' in reasons


def test_no_family_of_openmetrics_names_a_cell_that_was_not_measured(run: Run) -> None:
    for family in text_string_to_metric_families(convert_run(run, "openmetrics", None).decode()):
        if family.name not in ("plumbline_cell", "plumbline_run"):
            assert {sample.labels["framework"] for sample in family.samples} == {"torch"}


def test_perfetto_has_a_track_for_each_framework_with_jobs_and_phases_within_them(run: Run) -> None:
    trace = document(run, "perfetto")
    events = trace["traceEvents"]
    tracks = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert sorted(tracks.values()) == ["jax", "openvino", "torch"]
    slices = [event for event in events if event["ph"] == "X"]
    assert all(event["dur"] >= 0 and event["ts"] >= 0 and event["tid"] in tracks for event in slices)
    jobs = [event for event in slices if event["cat"] == "job"]
    assert len(jobs) == len(run.records) - 1
    assert json.dumps(trace)
    for job in jobs:
        own = slices[slices.index(job) + 1 :][: slices_within(slices, job)]
        assert all(inside(phase, job) for phase in own)
        assert all(one["ts"] + one["dur"] == pytest.approx(next_["ts"]) for one, next_ in pairwise(own))


def slices_within(slices: list[dict[str, Any]], job: dict[str, Any]) -> int:
    """Count the phases between a job and the next one."""
    after = [event["cat"] for event in slices[slices.index(job) + 1 :]]
    return after.index("job") if "job" in after else len(after)


def inside(event: dict[str, Any], job: dict[str, Any]) -> bool:
    starts, ends = job["ts"] - 1e-6, job["ts"] + job["dur"] + 1e-6
    return bool(event["tid"] == job["tid"] and starts <= event["ts"] and event["ts"] + event["dur"] <= ends)


def test_only_a_job_that_counts_has_a_time_per_call_in_perfetto(run: Run) -> None:
    jobs = [event["args"] for event in document(run, "perfetto")["traceEvents"] if event.get("cat") == "job"]
    timed = {job["job"].split("-")[1] for job in jobs if "floor_ns" in job}
    assert timed == {"torch"}
    assert {job["outcome"] for job in jobs} == {"measured", "killed", "wrong", "raised"}


def test_markdown_shows_the_ranking_and_no_time_of_what_was_not_measured(run: Run) -> None:
    text = convert_run(run, "markdown", None).decode()
    rows = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if line.startswith("| ")}
    assert "1.00 µs" in rows["torch:eager"]
    assert rows["torch:eager"].endswith("| baseline |")
    assert "| n/a |" in rows["jax:jit"]
    assert rows["jax:jit"].endswith("| wrong |")
    assert {line.count(" | ") for line in rows.values()} == {7}
    assert r'(unsupported): no "\|" here =1+1.' in text


def test_what_a_format_has_no_place_for_is_named_with_its_reason(run: Run) -> None:
    told = list_omitted_cells(run, "bencher")
    assert sorted(labels(told)) == sorted(UNSOUND)
    assert told[-1].endswith("wrong (because it was wrong)")
    assert list_omitted_cells(run, "csv") == []


def test_the_same_cell_in_two_environments_has_two_names(
    make_cell: Callable[..., Cell], make_records: Callable[..., list[JobRecord]], make_run: Callable[..., Store]
) -> None:
    cells = [(make_cell(environment=name), 1000.0) for name in ("old", "new")]
    names = list(document(load(make_run("two", make_records(cells)).folder), "bencher"))
    assert [name.partition(":")[0] for name in names] == ["numpy@old", "numpy@new"]


def test_a_run_without_a_measured_cell_is_no_document_of_times(
    make_record: Callable[..., JobRecord], make_run: Callable[..., Store]
) -> None:
    run = load(make_run("nothing", [make_record(outcome="raised")]).folder)
    for name in ("pyperf", "bencher", "github-action-benchmark"):
        with pytest.raises(UsageError, match="has no measured cell"):
            convert_run(run, name, None)
    for name in ("csv", "jsonl", "markdown", "openmetrics", "perfetto", "parquet"):
        assert b"raised" in convert_run(run, name, None)


def test_what_cannot_be_asked_for_is_refused(run: Run) -> None:
    with pytest.raises(UsageError, match="unknown format 'cvs'; did you mean csv"):
        convert_run(run, "cvs", None)
    with pytest.raises(UsageError, match="--per applies to csv, parquet, jsonl"):
        convert_run(run, "pyperf", "job")


def test_the_command_line_names_every_format() -> None:
    assert sorted(FORMATS) == sorted([*TABLES, *DOCUMENTS])


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_no_document_has_a_number_that_json_lacks(run: Run, name: str) -> None:
    assert not re.search(r"\b(NaN|Infinity|inf|nan)\b", convert_run(run, name, None).decode())
    assert math.isfinite(run.cells[0].floor_ns.estimate)


def test_pyperf_does_not_compare_a_mixed_run_with_a_whole_one(tmp_path: Path, run: Run, mixed: Run) -> None:
    for name, exported in (("whole", run), ("mixed", mixed)):
        (tmp_path / f"{name}.json").write_bytes(convert_run(exported, "pyperf", None))
    names = [line for line in pyperf("check", str(tmp_path / "mixed.json")).splitlines() if ", MIXED: mlp " in line]
    assert labels(names) == MEASURED
    done = subprocess.run(
        [sys.executable, "-m", "pyperf", "compare_to", "whole.json", "mixed.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Benchmark suites have no benchmark in common" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["bencher", "github-action-benchmark"])
def test_a_mixed_run_is_no_point_in_the_series_of_whole_ones(run: Run, mixed: Run, name: str) -> None:
    found = document(mixed, name)
    if name == "bencher":
        jsonschema.validate(found, BENCHER)
    names, whole = (
        [each if isinstance(each, str) else each["name"] for each in said] for said in (found, document(run, name))
    )
    assert all(", MIXED: mlp " in each for each in names)
    assert {*names}.isdisjoint(whole)
    assert len(names) == len(whole)


def test_a_mixed_run_is_marked_in_openmetrics_beside_its_name(run: Run, mixed: Run) -> None:
    marks = []
    for each in (run, mixed):
        text = convert_run(each, "openmetrics", None).decode()
        (about,) = (family for family in text_string_to_metric_families(text) if family.name == "plumbline_run")
        marks.append(about.samples[0].labels.get("mixed"))
    assert marks == [None, MIXTURE]


def test_a_mixed_run_is_marked_in_perfetto_on_its_track(run: Run, mixed: Run) -> None:
    for each, mark, parts in ((run, "", []), (mixed, "MIXED: ", [MIXTURE])):
        trace = document(each, "perfetto")
        (process,) = (event for event in trace["traceEvents"] if event["name"] == "process_name")
        assert process["args"]["name"] == f"{mark}{run.name}"
        assert trace["otherData"]["mixed"] == parts


def test_a_mixed_run_is_marked_in_markdown_in_each_heading_and_says_what_is_mixed(run: Run, mixed: Run) -> None:
    text = convert_run(mixed, "markdown", None).decode()
    headings = [line for line in text.splitlines() if line.startswith("### ")]
    assert len(headings) == len(run.groups)
    assert all(heading.startswith("### MIXED: ") for heading in headings)
    assert f"MIXED: between the parts of this run, {MIXTURE}." in text
    assert "MIXED" not in convert_run(run, "markdown", None).decode()
