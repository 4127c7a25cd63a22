"""The growth of memory with the number of calls: as a table, in sentences, and as data."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich.table import Table
from rich.text import Text

from orchestrator.analysis.costs.growth import is_growing
from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.rows import finite_or_none
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.format import fold_label, format_size
from orchestrator.report.tables import make_table, name_column, number_columns

TITLE = "Memory that each call keeps (bytes)"
HEADINGS = ("mode", "a call", "interval", "memory")
MIB = 1 << 20
# From here on, growth is stated in mebibytes.
LEAST_MIB = 0.1


def build_tables(group: Group) -> Iterator[Table]:
    """Yield the table of one group; none if its memory was not watched over many calls."""
    rows = [*list_rows(group)]
    if not rows:
        return
    name, *numbers, verdict = HEADINGS
    drawn = make_table(name_column(name), *number_columns(*numbers), verdict, title=TITLE)
    for label, *cells in rows:
        drawn.add_row(Text(fold_label(label)), *cells)
    yield drawn


def list_rows(group: Group) -> Iterator[tuple[str, str, str, str]]:
    """Yield each ranked cell whose memory was watched, with its slope, the ends of that, and what is known."""
    for result in group.ranked:
        if result.growth is not None:
            yield result.label, *format_slope(result.growth), name_verdict(result.growth)


def format_slope(slope: Interval) -> tuple[str, str]:
    """Return a slope in bytes a call and its ends; a dash for the ends that the data do not support."""
    is_known = finite_or_none(slope.low) is not None
    ends = f"{format_number(slope.low)} to {format_number(slope.high)}" if is_known else "–"
    return format_number(slope.estimate), ends


def format_number(size: float) -> str:
    """Format bytes as a whole number, and fewer than ten with one digit after the point."""
    return f"{size:,.0f}" if abs(size) >= 10 else f"{size:.1f}"


def name_verdict(slope: Interval) -> str:
    """Return what is known of memory: it grows, it does not by more than the interval allows, or too few processes."""
    if is_growing(slope):
        return "grows"
    return "does not grow" if finite_or_none(slope.high) is not None else "too few blocks"


def describe_growth(results: Iterable[Result]) -> Iterator[str]:
    """Yield the cells whose calls keep memory."""
    for each in results:
        slope, kept, ends = each.growth, each.growth_bytes, ""
        if slope is not None:
            kept = slope.estimate if is_growing(slope) else 0
            ends = f" ({format_bytes(slope.low)} to {format_bytes(slope.high)})"
        if kept > 0:
            yield f"{each.label}: memory grows by {format_bytes(kept)} a call{ends}; something keeps its results."


def format_bytes(size: float) -> str:
    """Format memory, from a tenth of a mebibyte on in mebibytes."""
    return f"{size / MIB:.1f} MiB" if size >= LEAST_MIB * MIB else format_size(size)


def growth_to_dict(slope: Interval | None) -> dict[str, Any] | None:
    """Return a slope with its ends, which may be zero or below, and whether memory is known to grow."""
    if slope is None:
        return None
    ends = {name: finite_or_none(getattr(slope, name)) for name in ("estimate", "low", "high")}
    return {**ends, "grows": is_growing(slope)}
