"""Saved models that were loaded again: in sentences, as a table, and as data."""

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from orchestrator.analysis.costs.saved_models import ArtefactCosts
from orchestrator.analysis.results import Group, Result
from orchestrator.format import format_duration, format_size
from orchestrator.registry.modes import find_mode
from orchestrator.report.tables import make_table, name_column, number_columns


def describe_portability(group: Group) -> Iterator[str]:
    """Yield a sentence for each mode that was loaded from a file and computes the same."""
    for result, found in select_loaded(group):
        yield (
            f"{result.label} computes the same from its {find_mode(result.cell).saves} "
            f"({format_size(found.size_bytes)}), "
            f"{describe_source(result)} the model's source; loading takes {format_duration(found.load_ns.estimate)}."
        )


def build_tables(group: Group) -> Iterator[Table]:
    """Yield a table with a row for each mode; none if models were built from their source."""
    rows = list(select_loaded(group))
    if not rows:
        return
    numbers = number_columns("size", "save", "load", "first result")
    # Only a mode whose file holds code needs the source again.
    alone = not any(find_mode(result.cell).holds_code for result, _ in rows)
    title = "Saved by one process, loaded by others" + (" without the model's source" if alone else "")
    drawn = make_table(name_column("mode"), "file", *numbers, title=title, gap=1)
    for result, found in rows:
        drawn.add_row(
            result.label,
            find_mode(result.cell).saves,
            format_size(found.size_bytes),
            format_duration(found.written_ns),
            format_duration(found.load_ns.estimate),
            format_duration(result.first_ns.estimate),
        )
    yield drawn


def describe_source(result: Result) -> str:
    """Return the relation of a loaded file to the model's source, in one word."""
    return "beside" if find_mode(result.cell).holds_code else "without"


def select_loaded(group: Group) -> Iterator[tuple[Result, ArtefactCosts]]:
    """Return the ranked cells that were loaded from files, by rank."""
    return ((result, result.portable) for result in group.ranked if result.portable is not None)


def portable_to_dict(found: ArtefactCosts | None) -> dict[str, Any] | None:
    """Return a saved model as data."""
    if found is None:
        return None
    return {"size_bytes": found.size_bytes, "save_ns": found.written_ns, "load_ns": found.load_ns.estimate}
