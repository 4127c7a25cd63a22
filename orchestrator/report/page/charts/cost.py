"""Chart of total time against the number of calls. Lines cross where a slower start has been amortised."""

import math
from collections.abc import Iterator, Sequence

from orchestrator.analysis.breakeven import ROUND_NUMBERS, BreakEven, Payoff, find_break_evens
from orchestrator.analysis.costs.cost_curve import Start
from orchestrator.analysis.total_cost import choose_call_counts, compute_total_costs
from orchestrator.format import format_count, format_count_range, format_duration, round_counts
from orchestrator.report.page.charts import Chart, ChartRow, Section, Spec, Table, to_chart_interval, to_chart_number
from orchestrator.report.page.charts.encoding import (
    COUNT_TICKS,
    DURATION_TICKS,
    TENS,
    encode_dash,
    encode_quantity,
    encode_row_tone,
    encode_tone,
    filter_rows,
    make_tooltip,
)
from orchestrator.report.sections import breakeven

Y = encode_quantity("ns", "total time", at=TENS, labels=DURATION_TICKS, nice=False, padding=8)
SPEC: Spec = {
    "height": 320,
    "encoding": {"x": encode_quantity("calls", "calls", at=TENS, labels=COUNT_TICKS, nice=False)},
    "layer": [
        {
            "transform": filter_rows("datum.part == 'line' && isValid(datum.low)"),
            "mark": {"type": "area", "opacity": 0.15},
            "encoding": {"y": Y | {"field": "low"}, "y2": {"field": "high"}, "fill": encode_row_tone()},
        },
        {
            "transform": filter_rows("datum.part == 'line'"),
            "mark": {"type": "line", "strokeWidth": 2},
            "encoding": {"y": Y, "stroke": encode_tone(), "strokeDash": encode_dash()},
        },
        {
            "transform": filter_rows("datum.part == 'paid'"),
            "mark": {"type": "rule", "strokeWidth": 2, "stroke": "var(--ink)"},
            "encoding": {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}, "y": Y},
        },
        {
            "transform": filter_rows("datum.part == 'paid'"),
            "mark": {
                "type": "point",
                "shape": "diamond",
                "size": 90,
                "fill": "var(--page)",
                "stroke": "var(--ink)",
                "opacity": 1,
            },
            "encoding": {"y": Y, "tooltip": make_tooltip(mode="breaks even", shown="after")},
        },
    ],
}

TITLES: dict[Start, str] = {
    "model": "Total time by number of calls, from the finished model",
    "import": "Total time by number of calls, import included",
}


def make_charts(section: Section) -> Iterator[Chart]:
    """Yield the chart from the finished model and the one with import. Fewer than two modes yield none."""
    if len(section.group.curves) < 2:
        return
    found = find_break_evens(section.group)
    numbers = choose_call_counts(found)
    for start, title in TITLES.items():
        yield Chart(
            kind="cost",
            title=title,
            finding=" ".join(breakeven.describe_break_evens(section.group))
            or "No mode here has a compilation to amortise.",
            reading="Lower is faster. Lines are medians over processes, and bands are their 95 % intervals. A diamond "
            "marks the break-even of a compiled mode, from pairs of processes; its bar is the 95 % interval. "
            "Both axes are logarithmic and show only the range of the data.",
            columns=("part", "mode", "calls", "ns", "low", "high", "shown"),
            rows=(*make_lines(section, numbers, start), *make_crossings(section, found, start)),
            table=Table(
                ("mode", *(f"after {format_count(calls)}" for calls in ROUND_NUMBERS), "breaks even after"),
                tuple(make_table_rows(section, found, start)),
            ),
            modes=tuple(mode for mode in section.modes if mode in section.group.curves),
        )


def make_lines(section: Section, numbers: Sequence[int], start: Start) -> Iterator[ChartRow]:
    """Yield the points of each mode's line."""
    for label, curves in section.group.curves.items():
        for total in compute_total_costs(curves, start, numbers):
            at = (to_chart_number(total.spent_ns.estimate), *to_chart_interval(total.spent_ns))
            yield section.make_row(("line", label, total.calls, *at, None), label)


def make_crossings(section: Section, found: Sequence[BreakEven], start: Start) -> Iterator[ChartRow]:
    """Yield the claimed break-evens that the chart can show: after the first call and before infinity."""
    for each in found:
        calls = each.calls_from(start)
        # A logarithmic axis has no place for break-evens at the first call or at infinity.
        if each.payoff is Payoff.PAYS and 1 < calls.estimate < math.inf:
            (total,) = compute_total_costs(section.group.curves[each.mode], start, [int(calls.estimate)])
            near = round_counts(calls)
            shown = f"{format_count(near.estimate)} calls ({format_count_range(near)}) against {each.other}"
            at = (to_chart_number(calls.estimate), to_chart_number(total.spent_ns.estimate), *to_chart_interval(calls))
            yield section.make_row(("paid", each.mode, *at, shown), each.mode, each.other)


def make_table_rows(section: Section, found: Sequence[BreakEven], start: Start) -> Iterator[ChartRow]:
    """Yield each mode's total time at powers of ten, and its break-evens."""
    for label, curves in section.group.curves.items():
        spent = [
            format_duration(total.spent_ns.estimate) for total in compute_total_costs(curves, start, ROUND_NUMBERS)
        ]
        paid = [format_break_even_line(each, start) for each in found if each.mode == label]
        yield section.make_row((label, *spent, "; ".join(paid)), label)


def format_break_even_line(found: BreakEven, start: Start) -> str:
    """Format a break-even on one line, in the words of the terminal's tables."""
    return f"{breakeven.format_break_even(found, found.calls_from(start))} against {found.other}".replace("\n", " ")
