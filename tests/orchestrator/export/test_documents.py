"""The document formats, checked against their consumers or their specifications."""

import math
import re
from collections.abc import Callable

import jsonschema
import pytest

from orchestrator.analysis.run import Run
from orchestrator.api import load
from orchestrator.cli.app import FORMATS
from orchestrator.errors import UsageError
from orchestrator.export import DOCUMENTS, TABLES, convert_run, list_omitted_cells
from orchestrator.records.store import Store
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.export.conftest import MIXTURE
from tests.orchestrator.export.documents import UNSOUND, document, labels

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


def test_a_mixed_run_is_marked_in_markdown_in_each_heading_and_says_what_is_mixed(run: Run, mixed: Run) -> None:
    text = convert_run(mixed, "markdown", None).decode()
    headings = [line for line in text.splitlines() if line.startswith("### ")]
    assert len(headings) == len(run.groups)
    assert all(heading.startswith("### MIXED: ") for heading in headings)
    assert f"MIXED: between the parts of this run, {MIXTURE}." in text
    assert "MIXED" not in convert_run(run, "markdown", None).decode()
