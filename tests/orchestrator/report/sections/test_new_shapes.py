"""Reports of the cost of new shapes."""

import io
import json
from collections.abc import Callable

from rich.console import Console

from orchestrator.analysis import groups
from orchestrator.analysis.results import Group
from orchestrator.report.json_document import group_to_dict
from orchestrator.report.sections import new_shapes
from schemas.event import Report
from schemas.job import Cell, Shaping
from schemas.record import JobRecord

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]
MakeReport = Callable[..., Report]

MS = 1_000_000
COMPILING = {"first_ns": 400 * MS, "second_ns": MS, "compilations": 1}
PLAIN = {"first_ns": 2 * MS, "second_ns": MS, "compilations": 0}
SILENT = {"first_ns": 90 * MS, "second_ns": MS, "compilations": None}


def a_group(
    make_cell: MakeCell, make_record: MakeRecord, make_report: MakeReport, shaping: Shaping = "stream"
) -> Group:
    notes = {
        "jax:jit": [COMPILING] * 3,
        "torch:compile": [COMPILING, PLAIN, PLAIN],
        "torch:script": [SILENT] * 3,
        "torch:eager": [PLAIN] * 3,
    }
    cells = [make_cell(label, shapes=shaping) for label in notes]
    records = [
        make_record(cell, block, result=make_report(1000, new_shapes=notes[cell.label]))
        for cell in cells
        for block in range(1, 9)
    ]
    (group,) = groups.group_results(records, cells)
    return group


def table(group: Group) -> str:
    console = Console(file=io.StringIO(), width=80)
    for drawn in new_shapes.build_tables(group):
        console.print(drawn)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_dear_shape_is_told_in_a_sentence_and_a_cheap_one_is_not(
    make_cell: MakeCell, make_record: MakeRecord, make_report: MakeReport
) -> None:
    told = sorted(new_shapes.describe_new_shapes(a_group(make_cell, make_record, make_report)))
    assert told == [
        "jax:jit recompiles for each new shape: the first call at one takes 400 ms, the next 1.00 ms.",
        "torch:compile recompiled once for 3 new shapes: the first call at one takes 2.00 ms, the next 1.00 ms.",
        "torch:script is slow at a new shape and does not report whether it compiles: the first call at one takes "
        "90.0 ms, the next 1.00 ms.",
    ]


def test_the_table_has_a_row_for_each_mode_and_fits_80_columns(
    make_cell: MakeCell, make_record: MakeRecord, make_report: MakeReport
) -> None:
    text = table(a_group(make_cell, make_record, make_report))
    assert "…" not in text
    assert all(len(line) <= 80 for line in text.splitlines())
    for words in ("3 for 3", "1 for 3", "not counted", "0 for 3", "1,000,000"):
        assert words in text


def test_only_a_stream_has_a_throughput(make_cell: MakeCell, make_record: MakeRecord, make_report: MakeReport) -> None:
    assert "per second" in table(a_group(make_cell, make_record, make_report))
    assert "per second" not in table(a_group(make_cell, make_record, make_report, "fixed"))


def test_where_no_new_shape_came_there_is_no_table(make_cell: MakeCell, make_record: MakeRecord) -> None:
    (group,) = groups.group_results([make_record(make_cell())], [make_cell()])
    assert table(group) == ""
    assert group_to_dict(group)["cells"][0]["new_shapes"] is None


def test_the_document_has_it_as_numbers(make_cell: MakeCell, make_record: MakeRecord, make_report: MakeReport) -> None:
    cells = json.loads(json.dumps(group_to_dict(a_group(make_cell, make_record, make_report)), allow_nan=False))[
        "cells"
    ]
    assert cells[0]["new_shapes"] == {
        "shapes": 3,
        "compilations": 3,
        "first_call_ns": 400 * MS,
        "next_call_ns": MS,
        "first_calls_ns": 1200 * MS,
    }
