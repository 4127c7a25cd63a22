"""Chart of warm-up traces: the time of each call, from the first one on."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from orchestrator.analysis.derivation.process import Figures, Process, list_laps
from orchestrator.analysis.process_scores import collect_figures
from orchestrator.analysis.results import Result
from orchestrator.format import format_duration
from orchestrator.report.page.charts import Chart, ChartRow, Section, Spec, Table, make_row, to_chart_number
from orchestrator.report.page.charts.encoding import (
    COUNT_TICKS,
    DURATION_TICKS,
    TENS,
    encode_dash,
    encode_quantity,
    encode_row_tone,
    encode_tone,
    encode_zoomed,
    filter_rows,
    make_tooltip,
)

# Processes drawn for each cell: enough to compare them.
MAX_SHOWN_PROCESSES: Final = 4

X = encode_quantity("calls", "calls so far", at=TENS, labels=COUNT_TICKS, nice=False)
Y = encode_zoomed("ns", "time of a call", labels=DURATION_TICKS)
SPEC: Spec = {
    "height": 320,
    "encoding": {"x": X, "y": Y},
    "layer": [
        {
            "transform": filter_rows("datum.part == 'other'"),
            "mark": {"type": "line", "strokeWidth": 1, "opacity": 0.3},
            "encoding": {"color": encode_row_tone(), "detail": {"field": "block", "type": "nominal"}},
        },
        {
            "transform": filter_rows("datum.part == 'first'"),
            "mark": {"type": "line", "strokeWidth": 2},
            "encoding": {"stroke": encode_tone(), "strokeDash": encode_dash()},
        },
        {
            "transform": filter_rows("datum.part == 'steady'"),
            "mark": {"type": "point", "size": 60, "stroke": "var(--page)", "opacity": 1},
            "encoding": {
                "fill": encode_row_tone(),
                "tooltip": make_tooltip(mode="mode", block="block", shown="steady from"),
            },
        },
    ],
}


def make_chart(section: Section) -> Chart | None:
    """Make the chart of a group's ranked cells. Return None where nothing is ranked."""
    ranked = list(section.ranked_results)
    if not ranked:
        return None
    return Chart(
        kind="warmup",
        title="Warm-up, call by call",
        finding=" ".join(f"{result.label}: {result.steadiness}." for result, _ in ranked),
        reading="The strong line is a mode's first process; pale lines are up to "
        f"{MAX_SHOWN_PROCESSES - 1} others. A dot marks the first steady call. Later calls are averaged over several "
        "calls. Both axes are logarithmic and show only the range of the data.",
        columns=("part", "mode", "block", "calls", "ns", "shown"),
        rows=tuple(row for result, processes in ranked for row in make_traces(result, processes[:MAX_SHOWN_PROCESSES])),
        table=Table(
            ("mode", "class", "first result", "second call", "then until steady", "floor", "processes"),
            tuple(make_table_row(result) for result, _ in ranked),
        ),
        modes=tuple(result.label for result, _ in ranked),
    )


def make_traces(result: Result, processes: Sequence[Process]) -> Iterator[ChartRow]:
    """Yield the traces of one cell's processes, each with its first steady call."""
    for place, (process, figures) in enumerate(zip(processes, collect_figures(processes), strict=True)):
        name, part = (result.label, process.block), "other" if place else "first"
        for point in thin_trace(list_laps(figures)):
            yield make_row((part, *name, point.calls, to_chart_number(point.each_ns), None), result)
        if (calls := find_steady_call(figures)) is not None:
            level = figures.steady_level_ns
            shown = f"call {calls:,}, at {format_duration(level)}"
            yield make_row(("steady", *name, calls, to_chart_number(level), shown), result)


def find_steady_call(figures: Figures) -> int | None:
    """Return the number of the first steady call, counted from 1. Return None if no call is steady."""
    if figures.steady == "none":
        return None
    return 1 + sum(calls for calls, _ in list_laps(figures)[: figures.steady_from])


def make_table_row(result: Result) -> ChartRow:
    """Make the table's row of one mode."""
    times = (result.first_ns, result.second_ns, result.steady_ns, result.floor_ns)
    shown = (format_duration(each.estimate) for each in times)
    return make_row((result.label, result.steadiness, *shown, result.jobs), result)


# The most points of one trace; the algorithm needs at least two.
MOST_POINTS: Final = 32


# Subtracted before rounding up, so that a rounding error does not add a call.
ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class TracePoint:
    """A point of a trace: the total number of calls, and the nanoseconds per call since the previous point."""

    calls: int
    each_ns: float


def thin_trace(laps: Sequence[tuple[int, int]], most: int = MOST_POINTS) -> tuple[TracePoint, ...]:
    """Merge the laps of a warm-up, calls and nanoseconds, into at most this many points; the total time is kept."""
    points, done = list[TracePoint](), 0
    for first, last in pairwise(choose_cuts(len(laps), most)):
        calls = sum(calls for calls, _ in laps[first:last])
        done += calls
        points.append(TracePoint(done, sum(took for _, took in laps[first:last]) / calls))
    return tuple(points)


def choose_cuts(length: int, most: int) -> list[int]:
    """Return places from 0 to `length` with at most `most` steps between them: of one at first, then ever larger."""
    found = [0]
    while (place := found[-1]) < length:
        growth = (length / max(place, 1)) ** (1 / (most + 1 - len(found)))
        found.append(max(place + 1, min(length, math.ceil(place * growth - ROUNDING))))
    return found
