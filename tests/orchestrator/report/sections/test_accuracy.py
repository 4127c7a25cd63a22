"""The accuracy of each mode as a table, on a page, as columns and as data; they say the same."""

import dataclasses
import io
from collections.abc import Callable

import pytest
from rich.console import Console

from orchestrator.analysis.accuracy import Accuracy, summarise_accuracy
from orchestrator.analysis.derivation.process import derive_process
from orchestrator.analysis.groups import group_results
from orchestrator.analysis.results import Group
from orchestrator.analysis.rows import result_to_row
from orchestrator.report.json_document import result_to_dict
from orchestrator.report.page.page import render_page
from orchestrator.report.page.section_tables import list_section_tables
from orchestrator.report.sections import accuracy
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.conftest import a_manifest, a_run

CLOSE, FAR = Accuracy(2e-7, 2e-6, 1.0), Accuracy(0.031, 0.25, 0.984)


@pytest.fixture
def compared(make_cell: Callable[..., Cell], make_records: Callable[..., list[JobRecord]]) -> Group:
    cells = [make_cell("torch:eager"), make_cell("torch:trace"), make_cell("torch:script")]
    (group,) = group_results(make_records([(cell, 1000.0 + n) for n, cell in enumerate(cells)]), cells)
    found = (CLOSE, FAR, None)
    results = [dataclasses.replace(each, accuracy=its) for each, its in zip(group.results, found, strict=True)]
    return dataclasses.replace(group, results=tuple(results))


def draw(group: Group) -> list[str]:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    for table in accuracy.build_tables(group):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_each_mode_has_its_error_with_the_tolerance_and_its_equal_arg_max(compared: Group) -> None:
    assert draw(compared)[-2:] == ["torch:eager 2.0e-07 2.0e-06 100 %", "torch:trace 3.1e-02 2.5e-01 98.4 %"]


def test_a_page_has_the_rows_of_the_terminal(compared: Group) -> None:
    (found,) = list_section_tables(compared, has_accuracy=True)
    table = found.table
    assert found.title == accuracy.TITLE
    assert table.headings == accuracy.HEADINGS
    assert [row.cells for row in table.rows] == [*accuracy.list_rows(compared)]


def test_columns_and_data_have_the_numbers(compared: Group) -> None:
    _, far, unknown = compared.results
    row = result_to_row(far)
    assert [row[name] for name in ("largest_error", "error_tolerance", "equal_argmax")] == [0.031, 0.25, 0.984]
    assert result_to_dict(far)["accuracy"] == {"largest_error": 0.031, "tolerance": 0.25, "equal_argmax": 0.984}
    assert result_to_dict(unknown)["accuracy"] is None
    assert result_to_row(unknown)["largest_error"] is None


def test_without_a_comparison_there_is_no_table(compared: Group) -> None:
    bare = dataclasses.replace(
        compared, results=tuple(dataclasses.replace(each, accuracy=None) for each in compared.results)
    )
    assert draw(bare) == []
    assert [*list_section_tables(bare, has_accuracy=True)] == []


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "100 %"), (0.99999, "99.99 %"), (0.9996, "99.96 %"), (0.5, "50.0 %"), (None, "–")]
)
def test_a_share_that_is_not_whole_never_looks_so(share: float | None, text: str) -> None:
    assert accuracy.format_equal_argmax(Accuracy(0.1, 0.2, share)) == text


def make_checks(*found: tuple[float, float, float | None]) -> dict[str, object]:
    plain: dict[str, object] = {"tensor": "output", "inputs": "all", "worst": None, "passed": True}
    return {
        "verification": {
            "checks": [
                plain | {"error": error, "tolerance": tolerance, "equal_argmax": share}
                for error, tolerance, share in found
            ]
        }
    }


def test_over_processes_the_largest_error_counts_and_the_mean_share(
    make_report: Callable[..., Report], make_record: Callable[..., JobRecord]
) -> None:
    reports = [
        make_report(1000, **make_checks((1e-3, 0.25, 1.0), (1e-6, 2e-6, None))),
        make_report(1000, **make_checks((2e-3, 0.25, 0.5))),
    ]
    figures = [derive_process(make_record(result=each)).figures for each in reports]
    found = summarise_accuracy(each for each in figures if each is not None)
    assert found == Accuracy(2e-3, 0.25, 0.75)
    assert summarise_accuracy([]) is None


@pytest.mark.parametrize(("dtypes", "shown"), [(("float32",), False), (("float32", "float16"), True)])
def test_a_page_shows_accuracy_where_it_is_a_choice(
    make_cell: Callable[..., Cell],
    make_report: Callable[..., Report],
    make_record: Callable[..., JobRecord],
    dtypes: tuple[str, ...],
    shown: bool,
) -> None:
    cells = [make_cell("torch:eager", dtype=dtype) for dtype in dtypes]
    report = make_report(1000, **make_checks((1e-3, 0.25, 1.0)))
    run = a_run(a_manifest(cells), [make_record(cell, result=report) for cell in cells])
    assert (accuracy.TITLE in render_page(run)) is shown
