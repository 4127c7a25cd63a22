"""What new shapes cost, in sentences, as a table, and in the document."""

import math
from collections.abc import Iterator
from typing import Any

from rich.table import Table

from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.shapes import NewShapes
from orchestrator.report.tables import plain
from orchestrator.report.units import duration


def sentences(group: Group) -> Iterator[str]:
    """For each mode for which a new shape is dear, what it costs."""
    for result in measured(group):
        found = result.new_shapes
        if found is not None and found.dear:
            yield f"{result.label} {anew(found)}: the first call at one takes {duration(found.first_ns.estimate)}" + (
                "." if math.isnan(found.later_ns.estimate) else f", the next {duration(found.later_ns.estimate)}."
            )


def anew(found: NewShapes) -> str:
    """How often a mode compiles for new shapes, as far as that is known."""
    if found.compilations is None:
        return "is slow at a new shape, and does not say whether it compiles"
    if not found.compilations:
        return "compiles nothing for a new shape, and yet is slow there"
    if found.compilations >= found.shapes:
        return "compiles anew for each new shape"
    return f"compiled {found.compilations} times for {found.shapes} new shapes"


def tables(group: Group) -> Iterator[Table]:
    """A row for each mode; nothing where no new shape came."""
    rows = [(result, result.new_shapes) for result in measured(group) if result.new_shapes is not None]
    if not rows:
        return
    stream = rows[0][0].cell.shapes == "stream"
    drawn = plain("New shapes (medians)")
    drawn.add_column("mode", no_wrap=True)
    for heading in ("first\ncall", "next\ncall", "compiled", "all first\ncalls"):
        drawn.add_column(heading, justify="right", no_wrap=True)
    if stream:
        drawn.add_column("then calls\na second", justify="right", no_wrap=True)
    for result, found in rows:
        counted = "not counted" if found.compilations is None else f"{found.compilations} for {found.shapes}"
        first, later, total = (each.estimate for each in (found.first_ns, found.later_ns, found.total_ns))
        throughput = [f"{1e9 / result.floor_ns.estimate:,.0f}"] if stream else []
        drawn.add_row(result.label, duration(first), duration(later), counted, duration(total), *throughput)
    yield drawn


def measured(group: Group) -> Iterator[Result]:
    """The ranked cells, in their order."""
    return (group.result(standing.cell) for standing in group.standings)


def document(found: NewShapes | None) -> dict[str, Any] | None:
    """As data."""
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
