"""The cost of new shapes: in sentences, as a table, and as data."""

import math
from collections.abc import Iterator
from typing import Any

from rich.table import Table

from orchestrator.analysis.costs.new_shapes import NewShapes
from orchestrator.analysis.results import Group
from orchestrator.format import format_duration
from orchestrator.report.tables import make_table, name_column, number_columns


def describe_new_shapes(group: Group) -> Iterator[str]:
    """Yield the cost of a new shape for each mode for which it is high."""
    for result in group.ranked:
        found = result.new_shapes
        if found is not None and found.is_costly:
            yield (
                f"{result.label} {describe_recompilation(found)}: the first call at one "
                f"takes {format_duration(found.first_ns.estimate)}"
                + (
                    "."
                    if math.isnan(found.later_ns.estimate)
                    else f", the next {format_duration(found.later_ns.estimate)}."
                )
            )


def describe_recompilation(found: NewShapes) -> str:
    """Return how often a mode compiles for new shapes, if that is known."""
    if found.compilations is None:
        return "is slow at a new shape and does not report whether it compiles"
    if not found.compilations:
        return "is slow at a new shape although it does not recompile"
    if found.compilations >= found.shapes:
        return "recompiles for each new shape"
    times = "once" if found.compilations == 1 else f"{found.compilations} times"
    return f"recompiled {times} for {found.shapes} new shapes"


def build_tables(group: Group) -> Iterator[Table]:
    """Yield a table with a row for each mode; none if no new shape came."""
    rows = [(result, result.new_shapes) for result in group.ranked if result.new_shapes is not None]
    if not rows:
        return
    stream = rows[0][0].cell.shapes == "stream"
    headings = (
        "first\ncall",
        "next\ncall",
        "compiled",
        "all first\ncalls",
        *(["then calls\nper second"] if stream else []),
    )
    drawn = make_table(name_column("mode"), *number_columns(*headings), title="New shapes (medians)", gap=1)
    for result, found in rows:
        counted = "not counted" if found.compilations is None else f"{found.compilations} for {found.shapes}"
        first, later, total = (each.estimate for each in (found.first_ns, found.later_ns, found.total_ns))
        throughput = [f"{1e9 / result.floor_ns.estimate:,.0f}"] if stream else []
        drawn.add_row(
            result.label, format_duration(first), format_duration(later), counted, format_duration(total), *throughput
        )
    yield drawn


def new_shapes_to_dict(found: NewShapes | None) -> dict[str, Any] | None:
    """Return the cost of new shapes as data."""
    if found is None:
        return None
    return {
        "shapes": found.shapes,
        "compilations": found.compilations,
        **{
            name: None if math.isnan(interval.estimate) else interval.estimate
            for name, interval in (
                ("first_call_ns", found.first_ns),
                ("next_call_ns", found.later_ns),
                ("first_calls_ns", found.total_ns),
            )
        },
    }
