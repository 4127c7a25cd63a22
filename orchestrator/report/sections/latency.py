"""Percentiles of single calls beside the floor: as a table, in sentences, and as data."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from orchestrator.analysis.derivation.percentiles import PERCENTILES
from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.format import fold_label, format_duration
from orchestrator.report.tables import make_table, name_column, number_columns

NAMES = tuple(f"p{q}" for q in PERCENTILES)


def build_tables(group: Group) -> Iterator[Table]:
    """Yield the table of one group; none if no single calls were timed."""
    rows = list_timed(group)
    if not rows:
        return
    drawn = make_table(
        name_column("mode"), *number_columns("floor", *NAMES), title="Single calls (medians of processes)"
    )
    for result in rows:
        shown = [format_percentile(result.latency_ns.get(name)) for name in NAMES]
        drawn.add_row(Text(fold_label(result.label)), format_duration(result.floor_ns.estimate), *shown)
    yield drawn


def list_timed(group: Group) -> list[Result]:
    """Return the ranked cells whose single calls were timed, by rank."""
    return [result for result in group.ranked if result.latency_ns]


def format_percentile(interval: Interval | None) -> str:
    """Return a percentile above its interval; a dash if its processes made too few calls for it."""
    if interval is None:
        return "–"
    ends = format_ends(interval)
    return format_duration(interval.estimate) + (f"\n{ends}" if ends else "")


def format_ends(interval: Interval) -> str:
    """Return the ends of an interval: `61.2 µs–63.0 µs`; empty if it has none."""
    if not 0 < interval.low <= interval.high < float("inf"):
        return ""
    return f"{format_duration(interval.low)}–{format_duration(interval.high)}"


def describe_latency(group: Group) -> Iterator[str]:
    """Yield the percentiles of each mode's single calls."""
    for result in list_timed(group):
        said = []
        for name, interval in result.latency_ns.items():
            ends = format_ends(interval)
            said.append(f"{name} {format_duration(interval.estimate)}" + (f" ({ends})" if ends else ""))
        missing = [name for name in NAMES if name not in result.latency_ns]
        few = f"; its processes made too few calls for {' and '.join(missing)}" if missing else ""
        yield f"Single calls of {result.label}: {', '.join(said)}{few}."
