"""The shares of a run on several machines while they are measured: a row for each node, or plain lines."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orchestrator.execution.shares.attempt import ShareRow
from orchestrator.format import to_printable

# The most shares that a terminal shows; a line counts the others.
MOST_ROWS = 30


class ShareLines:
    """A line whenever a share has begun, has closed a block, or has changed its state."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[tuple[int, int], ShareRow] = {}
        self._waiting = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, rows: Sequence[ShareRow], waiting: int) -> None:
        """Print the rows that are new or have changed, and how many shares wait for a node."""
        if waiting not in (0, self._waiting):
            self._console.print(f"[waiting] {waiting} shares to come", highlight=False, markup=False)
        self._waiting = waiting
        for row in rows:
            if self._shown.get(row.number) != row:
                self._console.print(format_row(row), highlight=False, markup=False, soft_wrap=True)
        self._shown = {row.number: row for row in rows}


class ShareTable:
    """A live table. It is drawn when the head has looked, and not between."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._nodes: set[str] = set()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, rows: Sequence[ShareRow], waiting: int) -> None:
        """Draw the rows, with those of nodes that have no share now."""
        busy = {row.node for row in rows if row.node}
        self._nodes |= busy
        self._live.update(build_table(rows, waiting, sorted(self._nodes - busy)), refresh=True)


def build_table(rows: Sequence[ShareRow], waiting: int, idle: Sequence[str] = ()) -> Table:
    """Build the table of the shares that are handed out, those that measure first, and of the nodes without one."""
    table = Table("node", "share", "blocks", "state", box=None, padding=(0, 2, 0, 0))
    shown = sorted(rows, key=lambda row: (row.state != "measuring", row.node, row.number))[:MOST_ROWS]
    for row in shown:
        share, attempt = row.number
        state = f"{row.state}: {row.reason}" if row.reason else row.state
        number = f"{share}" if attempt == 1 else f"{share} (attempt {attempt})"
        cells = (row.node or "-", number, f"{row.done} of {row.blocks}", state)
        table.add_row(*(Text(to_printable(cell)) for cell in cells))
    for node in idle[: MOST_ROWS - len(shown)]:
        table.add_row(Text(to_printable(node)), "", "", "no share now")
    if (more := len(rows) - len(shown)) > 0 or waiting:
        table.add_row("", "", "", f"{more} more handed out, {waiting} to come")
    return table


def format_row(row: ShareRow) -> str:
    """Format a share as one line."""
    share, attempt = row.number
    number = f"share {share}" if attempt == 1 else f"share {share}, attempt {attempt}"
    where = f" on {row.node}" if row.node else ""
    why = f" ({row.reason})" if row.reason else ""
    return to_printable(f"[{row.done} of {row.blocks} blocks] {number}{where}: {row.state}{why}")
