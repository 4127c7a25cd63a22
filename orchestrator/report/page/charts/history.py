"""Chart of one cell over many runs: the floor of each run with its interval, and the level between steps."""

from collections.abc import Iterator
from statistics import median

from orchestrator.comparison.history import CellHistory
from orchestrator.comparison.steps import Point
from orchestrator.format import format_duration
from orchestrator.report.history.sentences import (
    describe_changes,
    describe_findings,
    describe_size,
    format_commit,
    format_version,
    name_cell,
)
from orchestrator.report.page.charts import (
    Chart,
    ChartRow,
    Spec,
    Table,
    make_cell_row,
    to_chart_interval,
    to_chart_number,
)
from orchestrator.report.page.charts.encoding import DURATION_TICKS, encode_zoomed, filter_rows, make_tooltip

READING = (
    "A dot is the time per call in one run, the median over processes of their fastest samples; its bar is the 95 % "
    "interval. A thick line is the median of the runs between two steps, a dashed line a step. The axis of times is "
    "logarithmic and shows only the range of the data."
)

# A time of day only where ticks are closer than a day.
TIME_TICKS = "utcFormat(datum.value, utchours(datum.value) + utcminutes(datum.value) == 0 ? '%Y-%m-%d' : '%m-%d %H:%M')"
X: Spec = {
    "field": "at",
    "type": "temporal",
    "scale": {"type": "utc", "padding": 12},
    "axis": {
        "title": "start of the run (UTC)",
        "grid": False,
        "tickCount": 6,
        "labelExpr": TIME_TICKS,
        "labelOverlap": "greedy",
        "labelSeparation": 6,
    },
}
Y = encode_zoomed("ns", "time per call", labels=DURATION_TICKS, padding=16)
SPEC: Spec = {
    "height": 240,
    "encoding": {"x": X},
    "layer": [
        {
            "transform": filter_rows("datum.part == 'level'"),
            "mark": {"type": "rule", "strokeWidth": 3, "stroke": "var(--tone-1)", "opacity": 0.7},
            "encoding": {"x2": {"field": "until"}, "y": Y},
        },
        {
            "transform": filter_rows("datum.part == 'run' && isValid(datum.low)"),
            "mark": {"type": "rule", "strokeWidth": 2, "stroke": "var(--faint)"},
            "encoding": {"y": Y | {"field": "low"}, "y2": {"field": "high"}},
        },
        {
            "transform": filter_rows("datum.part == 'run'"),
            "mark": {"type": "point", "size": 50, "filled": True, "opacity": 1, "fill": "var(--tone-0)"},
            "encoding": {
                "y": Y,
                "tooltip": make_tooltip(run="run", shown="time per call", version="version", commit="commit"),
            },
        },
        {
            "transform": filter_rows("datum.part == 'step'"),
            "mark": {"type": "rule", "strokeWidth": 2, "strokeDash": [4, 4], "stroke": "var(--bad)"},
        },
    ],
}


def make_chart(cell: CellHistory) -> Chart:
    """Make the chart of one cell."""
    found = describe_findings(cell)
    return Chart(
        kind="history",
        title=name_cell(cell),
        finding=found,
        reading=found,
        columns=("part", "at", "until", "ns", "low", "high", "run", "shown", "version", "commit"),
        rows=(*map(make_dot, cell.points), *make_levels(cell), *make_steps(cell)),
        table=Table(
            ("run", "began", "time per call", "95 % interval", "version", "commit", "step"),
            tuple(make_table_rows(cell)),
        ),
        wide=True,
    )


def make_dot(point: Point) -> ChartRow:
    """Make the dot of one run."""
    low, high = to_chart_interval(point.floor_ns)
    said = (point.run.name, format_duration(point.floor_ns.estimate), format_version(point), format_commit(point))
    at, ns = point.run.began.isoformat(), to_chart_number(point.floor_ns.estimate)
    return make_cell_row(("run", at, None, ns, low, high, *said), point.cell)


def make_levels(cell: CellHistory) -> Iterator[ChartRow]:
    """Yield the level of the runs between two steps."""
    starts = {step.after.run.name for step in cell.claimed}
    parts = list[list[Point]]([[]])
    for point in cell.points:
        if point.run.name in starts:
            parts.append([])
        parts[-1].append(point)
    for part in parts:
        first, last = (point.run.began.isoformat() for point in (part[0], part[-1]))
        level = to_chart_number(median(point.floor_ns.estimate for point in part))
        yield make_cell_row(("level", first, last, level, None, None, "", "", "", ""), part[0].cell)


def make_steps(cell: CellHistory) -> Iterator[ChartRow]:
    """Yield the place of each step: halfway between the last run before it and the first one after it."""
    for step in cell.claimed:
        before, after = step.before.run.began, step.after.run.began
        at = (before + (after - before) / 2).isoformat()
        yield make_cell_row(("step", at, None, None, None, None, "", "", "", ""), step.after.cell)


def make_table_rows(cell: CellHistory) -> Iterator[ChartRow]:
    """Yield a row for each run."""
    steps = {step.after.run.name: f"{describe_size(step)}. {describe_changes(step)}." for step in cell.claimed}
    for point in cell.points:
        low, high = to_chart_interval(point.floor_ns)
        cells = (
            point.run.name,
            f"{point.run.began:%Y-%m-%d %H:%M}",
            format_duration(point.floor_ns.estimate),
            f"{format_duration(low)} to {format_duration(high)}" if low and high else "",
            format_version(point),
            format_commit(point),
            steps.get(point.run.name, ""),
        )
        yield make_cell_row(cells, point.cell)
