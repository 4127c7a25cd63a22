"""The chart of one cell over many runs: a dot for each run, the level between steps, and each step."""

from collections.abc import Callable, Iterator

import pytest

from orchestrator.comparison.history import CellHistory
from orchestrator.report.page.charts import Value
from orchestrator.report.page.charts.history import make_chart
from tests.orchestrator.report.history.conftest import a_cell_history


@pytest.fixture
def make_cell_history() -> Callable[..., CellHistory]:
    return a_cell_history


def rows(cell: CellHistory, part: str) -> Iterator[dict[str, Value]]:
    figure = make_chart(cell)
    named = (dict(zip(figure.columns, row.cells, strict=True)) for row in figure.rows)
    return (row for row in named if row["part"] == part)


def test_each_run_is_a_dot_with_its_interval_version_and_commit(make_cell_history: Callable[..., CellHistory]) -> None:
    dots = list(rows(make_cell_history(step=1.08), "run"))
    assert len(dots) == 12
    assert (dots[0]["at"], dots[0]["ns"], dots[0]["low"], dots[0]["high"]) == (
        "2025-01-01T12:00:00+00:00",
        30_000,
        29_700,
        30_300,
    )
    assert (dots[0]["run"], dots[0]["shown"], dots[0]["version"], dots[0]["commit"]) == (
        "20250101-120000-nightly",
        "30.0 µs",
        "2.12.0",
        "a1a1a1a1",
    )


def test_the_level_changes_at_a_step_which_is_between_two_runs(make_cell_history: Callable[..., CellHistory]) -> None:
    cell = make_cell_history(step=1.08)
    assert [(row["at"], row["until"], row["ns"]) for row in rows(cell, "level")] == [
        ("2025-01-01T12:00:00+00:00", "2025-01-06T12:00:00+00:00", 30_030),
        ("2025-01-07T12:00:00+00:00", "2025-01-12T12:00:00+00:00", 32_430),
    ]
    assert [row["at"] for row in rows(cell, "step")] == ["2025-01-07T00:00:00+00:00"]


def test_a_step_that_is_not_claimed_is_not_drawn(make_cell_history: Callable[..., CellHistory]) -> None:
    cell = make_cell_history(step=1.08, claimed=False)
    assert list(rows(cell, "step")) == []
    assert len(list(rows(cell, "level"))) == 1


def test_the_finding_is_the_caption(make_cell_history: Callable[..., CellHistory]) -> None:
    figure = make_chart(make_cell_history(step=1.08))
    assert figure.reading == figure.finding
    assert figure.finding.startswith("Slower from 20250107-120000-nightly on, 1.080 times the time before")
    assert make_chart(make_cell_history()).finding == "No step."
    assert make_chart(make_cell_history(runs=4)).finding == "Too few runs to find a step."


def test_the_table_has_each_run_and_says_the_step_at_its_run(make_cell_history: Callable[..., CellHistory]) -> None:
    table = make_chart(make_cell_history(step=1.08)).table
    assert len(table.rows) == 12
    assert table.rows[6].cells[:5] == (
        "20250107-120000-nightly",
        "2025-01-07 12:00",
        "32.4 µs",
        "32.1 µs to 32.7 µs",
        "2.13.0",
    )
    assert [bool(row.cells[-1]) for row in table.rows].index(True) == 6
