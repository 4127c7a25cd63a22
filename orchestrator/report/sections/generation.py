"""Loops that generate: the time of each call by its position, as a table, in sentences, and as data."""

import math
from collections.abc import Iterator
from typing import Any

from rich.table import Table
from rich.text import Text

from orchestrator.analysis.costs.generation import Generation
from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.rows import finite_or_none
from orchestrator.format import fold_label, format_duration, format_size
from orchestrator.report.tables import make_table, name_column, number_columns
from orchestrator.report.values import interval_to_dict

TITLE = "Calls of a loop, by position"


def build_tables(group: Group) -> Iterator[Table]:
    """Yield the table of one group; none if its calls are no loops."""
    rows = [*list_rows(group)]
    if not rows:
        return
    name, *numbers = list_headings(group)
    drawn = make_table(name_column(name), *number_columns(*numbers), title=TITLE, gap=1)
    for label, *cells in rows:
        drawn.add_row(Text(fold_label(label)), *cells)
    yield drawn


def list_generating(group: Group) -> Iterator[tuple[Result, Generation]]:
    """Yield the ranked cells whose calls are loops, by rank."""
    for result in group.ranked:
        if result.generation is not None:
            yield result, result.generation


def list_headings(group: Group) -> tuple[str, ...]:
    """Return the headings of a group's table."""
    calls = next((found.calls for _, found in list_generating(group)), 0)
    last = [f"call\n{calls}"] if calls > 2 else []
    return ("mode", "first\ncall", "call\n2", *last, "calls a\nsecond", "memory", "another\nprompt")


def list_rows(group: Group) -> Iterator[tuple[str, ...]]:
    """Yield a row of texts for each ranked cell whose calls are loops."""
    for result, found in list_generating(group):
        places = dict.fromkeys((1, 2, found.calls))
        times = [format_duration(found.call_ns[place].estimate) for place in places]
        kept = finite_or_none(found.kept.estimate)
        memory = "–" if kept is None else format_size(max(0, kept))
        yield result.label, *times, f"{compute_rate(result, found):,.0f}", memory, format_other_prompt(result)


def compute_rate(result: Result, found: Generation) -> float:
    """Return the calls a second in the timed loops."""
    return found.calls * 1e9 / result.floor_ns.estimate


def format_other_prompt(result: Result) -> str:
    """Return the time of the first loop on a prompt of another length; a dash if there was none."""
    return "–" if result.new_shapes is None else format_duration(result.new_shapes.first_ns.estimate)


def describe_generation(group: Group) -> Iterator[str]:
    """Yield the modes in which later calls of a loop take longer."""
    for result, found in list_generating(group):
        if found.calls > 2 and 1 < found.growth.low <= found.growth.high < math.inf:
            ends = f"{found.growth.low:.2f}–{found.growth.high:.2f}"
            yield (
                f"{result.label}: the last of {found.calls} calls takes {found.growth.estimate:.2f} times as long as "
                f"the second ({ends}), as its state has grown."
            )


def generation_to_dict(result: Result) -> dict[str, Any] | None:
    """Return the calls of a cell's loops as data; None if its calls are no loops."""
    found = result.generation
    if found is None:
        return None
    return {
        "calls": found.calls,
        "call_ns": {str(place): interval_to_dict(interval) for place, interval in found.call_ns.items()},
        "last_over_second": interval_to_dict(found.growth),
        "calls_per_second": finite_or_none(compute_rate(result, found)),
        "kept_bytes": interval_to_dict(found.kept),
    }
