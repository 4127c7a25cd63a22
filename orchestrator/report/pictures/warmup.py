"""Chart of warm-up traces: the time of each call, from the first one on."""

from collections.abc import Iterator, Sequence
from typing import Final

from orchestrator.analysis.results import Result, of_laps
from orchestrator.analysis.trace import trace
from orchestrator.report.pictures import Figure, Row, Section, Spec, Table, drawn, reports
from orchestrator.report.pictures.encoding import COUNTS, DURATIONS, TENS, dash, own_tone, quantity, told, tone, where
from orchestrator.report.units import duration
from schemas.event import Report
from schemas.record import JobRecord

# Processes drawn for each cell: enough to compare them.
SHOWN: Final = 4

X = quantity("calls", "calls so far", at=TENS, labels=COUNTS, nice=False)
Y = quantity("ns", "time of a call", at=TENS, labels=DURATIONS)
SPEC: Spec = {
    "height": 320,
    "encoding": {"x": X, "y": Y},
    "layer": [
        {
            "transform": where("datum.part == 'other'"),
            "mark": {"type": "line", "strokeWidth": 1, "opacity": 0.3},
            "encoding": {"color": own_tone(), "detail": {"field": "block", "type": "nominal"}},
        },
        {
            "transform": where("datum.part == 'first'"),
            "mark": {"type": "line", "strokeWidth": 2},
            "encoding": {"stroke": tone(), "strokeDash": dash()},
        },
        {
            "transform": where("datum.part == 'steady'"),
            "mark": {"type": "point", "size": 60, "stroke": "var(--page)", "opacity": 1},
            "encoding": {"fill": own_tone(), "tooltip": told(mode="mode", block="block", shown="steady from")},
        },
    ],
}


def figure(section: Section) -> Figure | None:
    """Make the chart of a group's ranked cells. Return None where nothing is ranked."""
    ranked = list(section.ranked)
    if not ranked:
        return None
    return Figure(
        kind="warmup",
        title="Warm-up, call by call",
        finding=" ".join(f"{result.label}: {result.steadiness}." for result, _ in ranked),
        reading=f"The strong line is a mode's first process; pale lines are up to {SHOWN - 1} others. A dot marks the "
        "first steady call. Later calls are averaged over several calls.",
        columns=("part", "mode", "block", "calls", "ns", "shown"),
        rows=tuple(row for result, records in ranked for row in traces(result, records[:SHOWN])),
        table=Table(
            ("mode", "class", "first result", "second call", "then until steady", "floor", "processes"),
            tuple(line(result) for result, _ in ranked),
        ),
        modes=tuple(result.label for result, _ in ranked),
    )


def traces(result: Result, records: Sequence[JobRecord]) -> Iterator[Row]:
    """Yield the traces of one cell's processes, each with its first steady call."""
    for place, (record, report) in enumerate(zip(records, reports(records), strict=True)):
        name, part = (result.label, record.spec.block), "other" if place else "first"
        for point in trace(report.warmup):
            yield Row(cells=(part, *name, point.calls, drawn(point.each_ns), None), frameworks=(result.cell.framework,))
        if (calls := steady_from(report)) is not None:
            level = of_laps(report.warmup).level_ns
            yield Row(
                cells=("steady", *name, calls, drawn(level), f"call {calls:,}, at {duration(level)}"),
                frameworks=(result.cell.framework,),
            )


def steady_from(report: Report) -> int | None:
    """Return the number of the first steady call, counted from 1. Return None if no call is steady."""
    found = of_laps(report.warmup)
    return None if found.kind == "none" else 1 + sum(calls for calls, _ in report.warmup[: found.start])


def line(result: Result) -> Row:
    """Make the table's row of one mode."""
    times = (result.first_ns, result.second_ns, result.steady_ns, result.floor_ns)
    return Row(
        cells=(result.label, result.steadiness, *(duration(each.estimate) for each in times), result.jobs),
        frameworks=(result.cell.framework,),
    )
