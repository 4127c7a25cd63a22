"""Memory as a table, in a document, and among the facts of a job."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from orchestrator.analysis import groups, results
from orchestrator.report import json_document
from orchestrator.report.job import facts, terminal
from orchestrator.report.sections import memory
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.analysis.costs.test_memory import needing


def printed(*what: object, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    for each in what:
        console.print(each)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def group(
    make_cell: Callable[..., Cell], make_record: Callable[..., JobRecord], make_report: Callable[..., Report]
) -> results.Group:
    peaks = {"torch:eager": 300, "tensorflow:eager": 220}
    records = [
        make_record(make_cell(label), block, result=make_report(**needing(peak + block % 2)))
        for block in range(1, 13)
        for label, peak in peaks.items()
    ]
    (found,) = groups.group_results(records, [make_cell(label) for label in peaks], rank_by="step_peak")
    return found


def test_the_table_has_every_headline_with_its_interval_and_ranks_by_the_one_that_was_asked_for(
    make_cell: Callable[..., Cell], make_record: Callable[..., JobRecord], make_report: Callable[..., Report]
) -> None:
    said = printed(*memory.build_tables(group(make_cell, make_record, make_report)))
    assert "ranked by step_peak" in said
    assert said.index("tensorflow:eager") < said.index("torch:eager")
    for headline in ("100 MiB", "40.0 MiB", "80.0 MiB", "50.5 MiB", "±512 KiB"):
        assert headline in said


@pytest.mark.parametrize("width", [100, 80, 60, 45])
def test_a_narrow_table_goes_without_columns_and_cuts_none(
    make_cell: Callable[..., Cell],
    make_record: Callable[..., JobRecord],
    make_report: Callable[..., Report],
    width: int,
) -> None:
    said = printed(*memory.build_tables(group(make_cell, make_record, make_report)), width=width)
    assert "…" not in said
    assert all(heading in said for heading in ("peak", "rank", "ratio", "50.5 MiB"))
    assert ("import" in said) == (width >= 80)


def test_without_memory_there_is_no_table(
    make_cell: Callable[..., Cell], make_record: Callable[..., JobRecord]
) -> None:
    (found,) = groups.group_results([make_record(make_cell())], [make_cell()])
    assert list(memory.build_tables(found)) == []


def test_a_document_has_bytes_and_ranks(
    make_cell: Callable[..., Cell], make_record: Callable[..., JobRecord], make_report: Callable[..., Report]
) -> None:
    said = json_document.group_to_dict(group(make_cell, make_record, make_report))
    assert said["by_memory"]["ranks"] == {"tensorflow:eager": [1, 1], "torch:eager": [2, 2]}
    assert said["cells"][0]["memory_bytes"]["static"]["estimate"] == 40 << 20


def test_a_jobs_story_has_its_headlines_and_its_joules(make_report: Callable[..., Report]) -> None:
    energy = {"joules": 5.0, "seconds": 2.0, "calls": 1000, "source": "RAPL packages"}
    said = dict(facts.describe_resources(make_report(**needing(220), energy=energy)))
    assert "step peak 50.0 MiB" in said["memory"]
    assert said["energy"].startswith("0.005 J per call over 2.0 s")
    assert "memory" not in dict(facts.describe_resources(make_report()))
    assert "250 MiB" in printed(terminal.build_memory_table(make_report(**needing(220))))
