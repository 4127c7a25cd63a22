"""The growth of memory as a table, in sentences, and as data; they say the same."""

import dataclasses
import io
from collections.abc import Callable

import pytest
from rich.console import Console

from orchestrator.analysis.groups import group_results
from orchestrator.analysis.results import Group
from orchestrator.analysis.rows import result_to_row
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.report.json_document import result_to_dict
from orchestrator.report.page.section_tables import list_section_tables
from orchestrator.report.sections import growth
from orchestrator.report.sentences import describe_group
from schemas.job import Cell
from schemas.record import JobRecord

LEAKS, STAYS = Interval(1061.0, 1057.0, 1066.0), Interval(0.0, -0.4, 0.4)
UNKNOWN = Interval(1061.0, float("-inf"), float("inf"))


@pytest.fixture
def watched(make_cell: Callable[..., Cell], make_records: Callable[..., list[JobRecord]]) -> Group:
    cells = [make_cell("torch:eager"), make_cell("torch:trace"), make_cell("torch:script")]
    (group,) = group_results(make_records([(cell, 1000.0 + n) for n, cell in enumerate(cells)]), cells)
    slopes = (LEAKS, STAYS, UNKNOWN)
    results = [dataclasses.replace(each, growth=slope) for each, slope in zip(group.results, slopes, strict=True)]
    return dataclasses.replace(group, results=tuple(results))


def draw(group: Group) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    for table in growth.build_tables(group):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_each_mode_has_its_slope_with_what_is_known(watched: Group) -> None:
    lines = [" ".join(line.split()) for line in draw(watched).splitlines()]
    assert lines[-3:] == [
        "torch:eager 1,061 1,057 to 1,066 grows",
        "torch:trace 0.0 -0.4 to 0.4 does not grow",
        "torch:script 1,061 – too few blocks",
    ]


def test_a_page_has_the_rows_of_the_terminal(watched: Group) -> None:
    (found,) = list_section_tables(watched, has_accuracy=False)
    table = found.table
    assert found.title == growth.TITLE
    assert table.headings == growth.HEADINGS
    assert [row.cells for row in table.rows] == [*growth.list_rows(watched)]
    assert {row.frameworks for row in table.rows} == {("torch",)}


def test_only_what_grows_has_a_sentence(watched: Group) -> None:
    said = [each for each in describe_group(watched) if "memory grows" in each]
    assert said == ["torch:eager: memory grows by 1.0 KiB a call (1.0 KiB to 1.0 KiB); something keeps its results."]


def test_the_document_and_the_columns_have_the_slope_also_if_it_is_zero(watched: Group) -> None:
    leaks, stays, unknown = watched.results
    assert result_to_dict(leaks)["growth_bytes_per_call"] == {
        "estimate": 1061.0,
        "low": 1057.0,
        "high": 1066.0,
        "grows": True,
    }
    assert result_to_dict(unknown)["growth_bytes_per_call"]["low"] is None
    row = result_to_row(stays)
    assert [row[f"growth{end}_bytes_per_call"] for end in ("", "_low", "_high")] == [0.0, -0.4, 0.4]


def test_a_sweep_that_did_not_ask_shows_nothing(watched: Group) -> None:
    plain = dataclasses.replace(
        watched, results=tuple(dataclasses.replace(each, growth=None) for each in watched.results)
    )
    assert draw(plain) == ""
    assert [*list_section_tables(plain, has_accuracy=True)] == []
    assert result_to_dict(plain.results[0])["growth_bytes_per_call"] is None
    assert result_to_row(plain.results[0])["growth_bytes_per_call"] is None
