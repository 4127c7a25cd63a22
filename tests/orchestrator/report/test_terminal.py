import io
import re
from collections.abc import Callable

import pytest
from rich.console import Console

from orchestrator.analysis import results
from orchestrator.report import terminal
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]
MakeRecords = Callable[..., list[JobRecord]]

STRUCK_OUT = "\x1b[2;9m"


def shown(records: list[JobRecord], cells: list[Cell], *, colour: bool = False) -> str:
    console = Console(file=io.StringIO(), width=80, force_terminal=colour, color_system="standard" if colour else None)
    terminal.show_results(
        console, results.group_results(records, cells), "all 3 blocks were run", "/runs/x/jobs", "a machine"
    )
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def cells(make_cell: MakeCell) -> list[Cell]:
    """Return cells with the longest names."""
    labels = ("tensorflow:function", "torch:script", "torch:eager", "synthetic:wrong", "numpy:eager")
    cells = [make_cell(label, parameters={"input": 1024, "width": 1024, "depth": 3}) for label in labels]
    return [*cells, cells[0].model_copy(update={"replica": 1})]


@pytest.fixture
def records(cells: list[Cell], make_record: MakeRecord, make_records: MakeRecords) -> list[JobRecord]:
    times = zip([cells[0], cells[1], cells[2], cells[5]], (1234.5e6, 345.6e6, 999.4e6, 1234.5e6), strict=True)
    records = make_records(list(times), blocks=32)
    return [
        *records,
        make_record(cells[3], outcome="wrong", call_ns=4321),
        make_record(cells[4], outcome="out-of-memory"),
    ]


def test_a_table_of_the_longest_names_and_numbers_is_whole_in_80_columns(
    records: list[JobRecord], cells: list[Cell]
) -> None:
    text = shown(records, cells)
    assert all(len(line) <= 80 for line in text.splitlines() if "Records and logs" not in line)
    assert "…" not in text
    for word in ("(A/A)", "out-of-", "memory"):
        assert word in text
    for cell in cells:
        assert f"\n{cell.framework}:{cell.mode} " in text


def test_every_cell_has_exactly_one_row(records: list[JobRecord], cells: list[Cell]) -> None:
    (group,) = results.group_results(records, cells)
    labels = [" ".join(str(next(iter(row))).split()) for row in terminal.format_group_rows(group)]
    assert sorted(labels) == sorted(cell.label for cell in cells)


def test_a_clone_whose_original_failed_has_its_row_too(make_cell: MakeCell, make_record: MakeRecord) -> None:
    cell = make_cell()
    twin = cell.model_copy(update={"replica": 1})
    (group,) = results.group_results([make_record(cell, outcome="raised"), make_record(twin)], [cell, twin])
    assert len(list(terminal.format_group_rows(group))) == 2


def test_the_time_of_a_wrong_cell_is_struck_out(records: list[JobRecord], cells: list[Cell]) -> None:
    lines = shown(records, cells, colour=True).splitlines()
    (wrong,) = (line for line in lines if line.startswith("synthetic:wrong "))
    assert re.search(re.escape(STRUCK_OUT) + r"\s*4\.32 µs", wrong)
    assert sum(STRUCK_OUT in line for line in lines) == 1


def test_what_has_no_time_is_not_shown_as_zero(records: list[JobRecord], cells: list[Cell]) -> None:
    (row,) = (line for line in shown(records, cells).splitlines() if line.startswith("numpy:eager "))
    assert "n/a" in row
    assert " 0 " not in row


def test_ranked_cells_come_by_their_place_and_the_others_last(records: list[JobRecord], cells: list[Cell]) -> None:
    text = shown(records, cells)
    ranked = ("torch:script", "torch:eager", "tensorflow:function", "synthetic:wrong", "numpy:eager")
    places = [text.index(f"\n{label} ") for label in ranked]
    assert places == sorted(places)


def test_why_it_ended_and_where_the_logs_are_is_said(records: list[JobRecord], cells: list[Cell]) -> None:
    text = shown(records, cells)
    assert "Ended: all 3 blocks were run." in text
    assert "/runs/x/jobs" in text


def test_a_message_from_a_worker_is_shown_as_it_is(make_cell: MakeCell, make_record: MakeRecord) -> None:
    cell = make_cell("synthetic:raise")
    text = shown([make_record(cell, outcome="raised", reason="KeyError: '[bold]x[/bold]' [/]")], [cell])
    assert "[bold]x[/bold]" in text.replace("\n", " ")


def test_a_message_from_a_worker_cannot_command_the_terminal(make_cell: MakeCell, make_record: MakeRecord) -> None:
    cell = make_cell("synthetic:raise")
    assert "\x1b" not in shown([make_record(cell, outcome="raised", reason="\x1b]0;owned\x07\x1b[31mred")], [cell])


def test_a_table_of_results_that_a_framework_was_the_judge_of_says_so_on_top(
    make_cell: MakeCell, make_record: MakeRecord, make_report: Callable[..., Report]
) -> None:
    record = make_record(result=make_report(verification={"checks": (), "referee": "torch"}))
    assert ", checked against torch in float64" in " ".join(shown([record], [make_cell()]).split())
