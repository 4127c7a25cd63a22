"""What other programs read: a file for each format, each with one function from a run to the bytes of a document.

A cell that was not measured as it should be gives no time to any of them. Where a format has a place for its outcome
and reason, it stands there; where it has none, the cell is left out, and that is said.
"""

from collections.abc import Callable, Mapping
from typing import Final

from orchestrator.api import Run
from orchestrator.errors import UsageError, unknown
from orchestrator.report.exporters import (
    bencher,
    csv,
    github_action_benchmark,
    jsonl,
    markdown,
    openmetrics,
    parquet,
    perfetto,
    pyperf,
)
from orchestrator.report.rows import Per

TABLES: Final[Mapping[str, Callable[[Run, Per], bytes]]] = {
    "csv": csv.export,
    "parquet": parquet.export,
    "jsonl": jsonl.export,
}
"""Formats that hold a row for each cell, job or sample."""

DOCUMENTS: Final[Mapping[str, Callable[[Run], bytes]]] = {
    "markdown": markdown.export,
    "pyperf": pyperf.export,
    "github-action-benchmark": github_action_benchmark.export,
    "bencher": bencher.export,
    "openmetrics": openmetrics.export,
    "perfetto": perfetto.export,
}
"""Formats that hold what their reader asks for."""

BINARY: Final = frozenset({"parquet"})
WITHOUT_OUTCOMES: Final = frozenset({"pyperf", "github-action-benchmark", "bencher"})
"""Formats that have no place for a cell without a time."""


def export(run: Run, name: str, per: Per | None) -> bytes:
    """A run in that format.

    Raises:
        UsageError: there is no such format, it has no rows to choose, it needs what is not installed, or nothing of the
            run could stand in it.
    """
    if name in TABLES:
        return TABLES[name](run, per or "cell")
    if name not in DOCUMENTS:
        raise unknown("format", name, [*TABLES, *DOCUMENTS])
    if per is not None:
        raise UsageError(f"--per is for {', '.join(TABLES)}; {name} holds what its reader asks for")
    if name in WITHOUT_OUTCOMES and len(left_out(run, name)) == len(run.cells):
        raise UsageError(f"{run.name} has no measured cell, and {name} has a place for nothing else")
    return DOCUMENTS[name](run)


def left_out(run: Run, name: str) -> list[str]:
    """The cells for which a format has no place, each with its reason, in words."""
    if name not in WITHOUT_OUTCOMES:
        return []
    return [
        f"{cell.label}, {group.title}: {cell.outcome or 'not run'}" + (f" ({cell.reason})" if cell.reason else "")
        for group in run.groups
        for cell in group.results
        if cell.outcome != "measured"
    ]
