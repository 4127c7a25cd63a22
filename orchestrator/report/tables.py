"""The tables' common look."""

from rich import box
from rich.table import Table
from rich.text import Text


def plain(title: str) -> Table:
    """An empty table under a title."""
    return Table(
        title=Text(title),
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
