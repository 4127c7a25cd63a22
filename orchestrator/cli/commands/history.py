"""`history`: the floors of cells over many runs, and the steps of their level."""

from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from orchestrator.cli.output import print_json, print_line, write_file
from orchestrator.comparison.history import trace_history
from orchestrator.comparison.since import find_since
from orchestrator.errors import UsageError
from orchestrator.format import to_printable
from orchestrator.report.history.document import build_history_document
from orchestrator.report.history.terminal import show_history
from orchestrator.report.page.history import render_history_page


def show_histories(root: Path, cell: str | None, since: str | None, page: Path | None, *, as_json: bool) -> None:
    """Show the history of the chosen cells, and write it as a page if one is named."""
    began = None if since is None else find_since(root, since, datetime.now(UTC))
    found = trace_history(root, cell=cell or "", since=began)
    if page is not None:
        try:
            write_file(page, render_history_page(found).encode())
        except OSError as error:
            raise UsageError(f"cannot write {page}: {error.strerror}; name another file with --page") from error
    if as_json:
        print_json(build_history_document(found, began) | {"page": None if page is None else str(page)})
        return
    console = Console()
    show_history(console, found, details=cell is not None)
    if page is not None:
        print_line(console, to_printable(f"Page: {page}"))
