"""Exports of a run in other programs' formats. Each module turns a run into the bytes of one format.

No format contains the time of a cell whose outcome is not `measured`. A format with a field for outcomes states the
outcome and the reason. Other formats omit the cell, and the user sees which cells are missing.
"""

from collections.abc import Callable, Mapping
from typing import Final

from orchestrator.analysis.rows import Per
from orchestrator.analysis.run import Run
from orchestrator.errors import UsageError, unknown_name_error
from orchestrator.export import (
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

# Formats with a row for each cell, job or sample.
TABLES: Final[Mapping[str, Callable[[Run, Per], bytes]]] = {
    "csv": csv.export_table,
    "parquet": parquet.export_table,
    "jsonl": jsonl.export_table,
}

# Formats whose content their reader prescribes.
DOCUMENTS: Final[Mapping[str, Callable[[Run], bytes]]] = {
    "markdown": markdown.export_document,
    "pyperf": pyperf.export_document,
    "github-action-benchmark": github_action_benchmark.export_document,
    "bencher": bencher.export_document,
    "openmetrics": openmetrics.export_document,
    "perfetto": perfetto.export_document,
}

# Formats that must not be printed to a terminal.
BINARY: Final = frozenset({"parquet"})

# Formats without a field for an outcome: they omit cells that have no time.
WITHOUT_OUTCOMES: Final = frozenset({"pyperf", "github-action-benchmark", "bencher"})


def convert_run(run: Run, name: str, per: Per | None) -> bytes:
    """Convert a run to a format.

    Raises:
        UsageError: the format is unknown, does not take `per`, needs a package that is not installed, or can represent
            nothing of this run.
    """
    if name in TABLES:
        return TABLES[name](run, per or "cell")
    if name not in DOCUMENTS:
        raise unknown_name_error("format", name, [*TABLES, *DOCUMENTS])
    if per is not None:
        raise UsageError(f"--per applies to {', '.join(TABLES)}; leave it out for {name}")
    if name in WITHOUT_OUTCOMES and len(list_omitted_cells(run, name)) == len(run.cells):
        raise UsageError(f"{run.name} has no measured cell, and {name} holds no others; use --format csv")
    return DOCUMENTS[name](run)


def list_advice(run: Run, name: str) -> list[str]:
    """Return what a format has no field for and its reader must be told otherwise."""
    if name != "bencher":
        return []
    testbed = run.machine_type.content_hash
    return [f"bencher keeps machines apart by their testbed only; call it with --testbed {testbed}, the machine type"]


def list_omitted_records(run: Run, name: str) -> tuple[str, ...]:
    """Return the records that a format omits, each with the reason. Only tables tell types of machine apart."""
    return run.skipped if name in TABLES else run.left_out


def list_omitted_cells(run: Run, name: str) -> list[str]:
    """Describe the cells that a format omits, each with its outcome and reason."""
    if name not in WITHOUT_OUTCOMES:
        return []
    return [
        f"{cell.label}, {group.title}: {cell.outcome or 'not run'}" + (f" ({cell.reason})" if cell.reason else "")
        for group in run.groups
        for cell in group.results
        if cell.outcome != "measured"
    ]
