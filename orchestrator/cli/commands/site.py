"""`site`: static pages of all publications in a folder."""

from datetime import UTC, date, datetime
from pathlib import Path

from rich.console import Console

from orchestrator.cli.output import print_json, print_line
from orchestrator.errors import UsageError
from orchestrator.export.publication.admit import Decision, decide_all
from orchestrator.export.publication.site import (
    Source,
    check_apart,
    check_replaceable,
    summarise_publication,
    write_site,
)
from orchestrator.format import to_printable
from orchestrator.processes.signals import postpone_signals
from schemas.base import SCHEMA_VERSION


def run_site(folder: Path, to: Path, day: str | None, *, as_json: bool) -> None:
    """Check all publications of a folder, and write their pages into another one.

    Raises:
        UsageError: one is refused, or the pages cannot be written.
    """
    check_apart(to, folder)
    check_replaceable(to)  # before the publications are checked, which takes a minute
    counted = None if day is None else parse_day(day)
    # `map`, unlike a loop, holds no publication while the next one is read.
    sources = [*map(require_source, decide_all(folder, datetime.now(UTC)))]
    with postpone_signals():
        write_site(to, sources, counted)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "site": str(to), "publications": len(sources)})
    else:
        print_line(Console(), to_printable(str(to.joinpath("index.html"))))


def require_source(decision: Decision) -> Source:
    """Return what the pages need of a publication.

    Raises:
        UsageError: it is refused.
    """
    if decision.admitted is None:
        raise UsageError(f"{decision.folder} is refused, and no page shows it: {decision.refusal}")
    return summarise_publication(decision.folder, decision.admitted)


def parse_day(text: str) -> date:
    """Parse the date from which ages are counted.

    Raises:
        UsageError: it is no date.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--date {text!r} is no date; write it as 2026-11-29") from error
