"""Chart of times per call: dots and bars on a logarithmic axis, with letters for ties."""

import string
from collections.abc import Iterator, Mapping

from orchestrator.analysis.compare import Comparison
from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.ties import find_tied_sets
from orchestrator.format import format_duration, format_rank, format_ratio, format_ratio_range
from orchestrator.report.page.charts import (
    Chart,
    ChartRow,
    Section,
    Spec,
    Table,
    make_row,
    to_chart_interval,
    to_chart_number,
)
from orchestrator.report.page.charts.encoding import (
    DURATION_TICKS,
    encode_modes,
    encode_zoomed,
    filter_rows,
    fit_height,
    make_tooltip,
)
from orchestrator.report.sections import likeness
from orchestrator.report.sentences import describe_fastest

X = encode_zoomed("ns", "time per call", labels=DURATION_TICKS, padding=36)
SPEC: Spec = fit_height(30, "mode") | {
    "encoding": {"y": encode_modes()},
    "layer": [
        {
            "transform": filter_rows("isValid(datum.low)"),
            "mark": {"type": "rule", "strokeWidth": 4, "stroke": "var(--tone-0)"},
            "encoding": {"x": X | {"field": "low"}, "x2": {"field": "high"}},
        },
        {
            "mark": {"type": "point", "size": 90, "filled": True, "opacity": 1},
            "encoding": {
                "x": X,
                "shape": {
                    "field": "part",
                    "type": "nominal",
                    "legend": None,
                    "scale": {"domain": ["ranked", "clone", "barred"], "range": ["circle", "diamond", "cross"]},
                },
                "fill": {
                    "field": "part",
                    "type": "nominal",
                    "legend": None,
                    "scale": {
                        "domain": ["ranked", "clone", "barred"],
                        "range": ["var(--tone-0)", "var(--ink)", "var(--bad)"],
                    },
                },
                "tooltip": make_tooltip(mode="mode", shown="time per call", ties="ties", said="result"),
            },
        },
        {
            "transform": filter_rows("isValid(datum.ties)"),
            "mark": {"type": "text", "align": "left", "dx": 10, "fontSize": 13, "fill": "var(--ink)"},
            "encoding": {"x": X | {"field": "end"}, "text": {"field": "ties"}},
        },
    ],
}


def make_chart(section: Section) -> Chart:
    """Make the chart of one group."""
    group = section.group
    # A logarithmic axis cannot show a time of zero, which stands for none.
    timed, tied = [result for result in group.results if result.floor_ns.estimate > 0], assign_letters(group)
    return Chart(
        kind="times",
        title="Time per call",
        finding=" ".join(describe_fastest(group)) or "No mode is shown to be the fastest.",
        reading="Further left is faster. A dot is the median over processes of their fastest samples; its bar is the "
        "95 % interval. Modes that share a letter are tied. A diamond is the A/A clone; a cross is a time that does "
        "not count. The axis is logarithmic and shows only the range of the data.",
        columns=("part", "mode", "ns", "low", "high", "end", "ties", "shown", "said"),
        rows=tuple(make_dot(result, tied.get(result.label)) for result in timed),
        table=Table(
            (
                "mode",
                "time per call",
                "95 % interval",
                "rank",
                "ties",
                "ratio to baseline",
                "95 % interval",
                "first result",
                "processes",
                "grade",
                "result",
                *(" ".join(heading.split()) for heading in likeness.list_columns(group)),
            ),
            tuple(make_table_rows(group)),
        ),
        modes=section.modes,
        wide=True,
    )


def make_dot(result: Result, ties: str | None) -> ChartRow:
    """Make the dot of one cell with a time, even if that does not count."""
    measured = result.outcome == "measured"
    part = "barred" if not measured else "clone" if result.cell.replica else "ranked"
    said = "measured" if measured else f"{result.outcome}: {result.reason}"
    shown = format_duration(result.floor_ns.estimate)
    at, (low, high) = to_chart_number(result.floor_ns.estimate), to_chart_interval(result.floor_ns)
    return make_row((part, result.label, at, low, high, high or at, ties, shown, said), result)


def assign_letters(group: Group) -> Mapping[str, str]:
    """Assign letters to the tied cells: one letter for each set of mutually tied cells (Piepho 2004)."""
    found: dict[str, str] = {}
    for number, members in enumerate(find_tied_sets(group.standings)):
        for label in members:
            found[label] = f"{found[label]} {to_letter(number)}" if label in found else to_letter(number)
    return found


def to_letter(number: int) -> str:
    """Return the letter of a set: `a` to `z`, then `a2` and so on."""
    again, place = divmod(number, len(string.ascii_lowercase))
    return string.ascii_lowercase[place] + (str(again + 1) if again else "")


def make_table_rows(group: Group) -> Iterator[ChartRow]:
    """Yield the rows of the table: ranked cells by rank, then the cells without one."""
    tied, further = assign_letters(group), likeness.list_columns(group)
    for result, standing, found in group.rows:
        cells = (
            result.label,
            format_floor(result),
            format_floor_interval(result),
            format_rank(standing.best, standing.worst) if standing else "",
            tied.get(result.label, ""),
            format_ratio(found.ratio.estimate) if found else "",
            format_ratio_range(found.ratio) if found else "",
            format_duration(result.first_ns.estimate),
            result.jobs,
            result.grade if result.outcome == "measured" else "",
            describe_result(group, result, found),
            *(likeness.format_cells(result)[heading] for heading in further),
        )
        yield make_row(cells, result)


def format_floor(result: Result) -> str:
    """Format a cell's time, marked if it does not count."""
    time = format_duration(result.floor_ns.estimate)
    return f"{time}, not counted" if result.outcome != "measured" and result.floor_ns.estimate > 0 else time


def format_floor_interval(result: Result) -> str:
    """Format the interval of a cell's time. Return an empty string where the data do not support one."""
    low, high = to_chart_interval(result.floor_ns)
    return f"{format_duration(low)} to {format_duration(high)}" if low and high else ""


def describe_result(group: Group, result: Result, found: Comparison | None) -> str:
    """Return a cell's verdict, or else its outcome. The page states the reason elsewhere."""
    if result.outcome != "measured":
        return result.outcome or "not run"
    said = str(found.verdict) if found else "baseline" if result.label == group.baseline else ""
    return ": ".join(filter(None, ("A/A clone" if result.cell.replica else "", said)))
