"""A table that fits its screen as well as it can."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console
from rich.table import Table

from orchestrator.report.tables import FittingTable, make_table, number_columns


def draw_versions(width: int) -> Iterator[Table]:
    """Yield tables of 30, 20 and 10 columns, and before them one of 120 if the screen is wide."""
    for size in ((120,) if width >= 120 else ()) + (30, 20, 10):
        drawn = make_table(*number_columns("x" * size))
        drawn.add_row("1")
        yield drawn


@pytest.mark.parametrize(("width", "shown"), [(200, 120), (100, 30), (25, 20), (20, 20), (19, 10), (10, 10)])
def test_the_first_version_that_fits_is_shown(width: int, shown: int) -> None:
    console = Console(file=io.StringIO(), width=width)
    console.print(FittingTable(draw_versions))
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().split()[0] == "x" * shown


def test_where_none_fits_the_narrowest_is_cut() -> None:
    console = Console(file=io.StringIO(), width=5)
    console.print(FittingTable(draw_versions))
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().split()[0] == "xxxx…"
