"""The common style of tables."""

from rich import box
from rich.table import Column, Table
from rich.text import Text

from orchestrator.format import to_printable


def make_table(*columns: Column | str, title: str = "", bold: bool = False, gap: int = 0) -> Table:
    """Return an empty table with its title above it. `gap` adds to the one space between columns."""
    return Table(
        *columns,
        title=Text(to_printable(title)) if title else None,
        title_justify="left",
        title_style="bold" if bold else "",
        box=box.SIMPLE_HEAD,
        padding=(0, gap, 0, 0),
        show_edge=False,
    )


def number_columns(*headings: str) -> list[Column]:
    """Return columns of numbers: right-aligned, and never wrapped."""
    return [Column(heading, justify="right", no_wrap=True) for heading in headings]


def name_column(heading: str) -> Column:
    """Return a column of names, which are never wrapped."""
    return Column(heading, no_wrap=True)
