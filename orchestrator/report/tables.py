"""The common style of tables."""

from rich import box
from rich.table import Table
from rich.text import Text


def make_plain_table(title: str) -> Table:
    """Return an empty table with a title above it."""
    return Table(
        title=Text(title),
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
