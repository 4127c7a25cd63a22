"""A sibling's distance from the first model and its right answers are columns of the table."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from orchestrator.analysis.results import Group
from orchestrator.analysis.rows import build_cell_rows
from orchestrator.report.json_document import group_to_dict
from orchestrator.report.page.charts import Section
from orchestrator.report.page.charts.times import make_chart
from orchestrator.report.sections import likeness
from orchestrator.report.terminal import build_group_table
from schemas.models import Likeness
from tests.orchestrator.analysis.sketched import DUE, a_group, a_record, check

LABELS = {"right": 7, "answers": 8}


@pytest.fixture
def group() -> Group:
    first = a_record("onnxruntime:session", [check(DUE)], verification={"likeness": LABELS})
    small = {"error": 0.01234, "right": 6, "answers": 8}
    second = a_record("onnxruntime:session", [check(DUE)], cell={"variant": "small"}, verification={"likeness": small})
    return a_group(first, second)


def draw(group: Group, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(build_group_table(group))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_table_has_both_columns(group: Group, width: int) -> None:
    lines = draw(group, width)
    assert all(len(line) <= width for line in lines)
    first, small = (line for line in lines if "87.5 %" in line or "75.0 %" in line)
    assert "0.012" in small
    assert "0.012" not in first
    assert any("error to" in line and "right" in line for line in lines)


def test_a_sweep_without_siblings_and_labels_has_no_such_column() -> None:
    group = a_group(*(a_record(f"torch:{mode}", [check(DUE)]) for mode in ("eager", "trace")))
    assert likeness.list_columns(group) == []
    assert not any("error to" in line for line in draw(group, 140))


def test_the_page_the_document_and_the_rows_have_them(group: Group) -> None:
    chart = make_chart(Section(group, {}))
    assert chart.table.headings[-2:] == ("error to the first", "right answers")
    assert [row.cells[-2:] for row in chart.table.rows] == [("", "87.5 %"), ("0.012", "75.0 %")]
    assert {len(row.cells) for row in chart.table.rows} == {len(chart.table.headings)}
    assert [cell["likeness"] for cell in group_to_dict(group)["cells"]] == [
        {"error": None, **LABELS},
        {"error": 0.01234, "right": 6, "answers": 8},
    ]
    rows = [*build_cell_rows([group])]
    assert [(row["error_to_first"], row["right_answers"], row["answers"]) for row in rows] == [
        (None, 7, 8),
        (0.01234, 6, 8),
    ]


@pytest.mark.parametrize(
    ("form", "found", "text"),
    [
        (likeness.format_distance, Likeness(), ""),
        (likeness.format_distance, Likeness(error=0.0), "0"),
        (likeness.format_share, Likeness(), ""),
        (likeness.format_share, Likeness(right=0, answers=3), "0.0 %"),
    ],
)
def test_what_was_not_compared_is_empty(form: Callable[[Likeness], str], found: Likeness, text: str) -> None:
    assert form(found) == text
