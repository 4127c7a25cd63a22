"""Chart of total time against the number of calls. Lines cross where a slower start has been amortised."""

import math
from collections.abc import Iterator, Sequence

from orchestrator.analysis.breakeven import ROUND_NUMBERS, BreakEven, Payoff, break_evens
from orchestrator.analysis.curve import Start
from orchestrator.analysis.totals import numbers_of_calls, totals
from orchestrator.report import breakeven
from orchestrator.report.pictures import Figure, Row, Section, Spec, Table, drawn, ends
from orchestrator.report.pictures.encoding import COUNTS, DURATIONS, TENS, dash, own_tone, quantity, told, tone, where
from orchestrator.report.units import duration, number, rounded

Y = quantity("ns", "total time", at=TENS, labels=DURATIONS)
SPEC: Spec = {
    "height": 320,
    "encoding": {"x": quantity("calls", "calls", at=TENS, labels=COUNTS, nice=False)},
    "layer": [
        {
            "transform": where("datum.part == 'line' && isValid(datum.low)"),
            "mark": {"type": "area", "opacity": 0.15},
            "encoding": {"y": Y | {"field": "low"}, "y2": {"field": "high"}, "fill": own_tone()},
        },
        {
            "transform": where("datum.part == 'line'"),
            "mark": {"type": "line", "strokeWidth": 2},
            "encoding": {"y": Y, "stroke": tone(), "strokeDash": dash()},
        },
        {
            "transform": where("datum.part == 'paid'"),
            "mark": {"type": "rule", "strokeWidth": 2, "stroke": "var(--ink)"},
            "encoding": {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}, "y": Y},
        },
        {
            "transform": where("datum.part == 'paid'"),
            "mark": {
                "type": "point",
                "shape": "diamond",
                "size": 90,
                "fill": "var(--page)",
                "stroke": "var(--ink)",
                "opacity": 1,
            },
            "encoding": {"y": Y, "tooltip": told(mode="breaks even", shown="after")},
        },
    ],
}

TITLES: dict[Start, str] = {
    "model": "Total time by number of calls, from the finished model",
    "import": "Total time by number of calls, import included",
}


def figures(section: Section) -> Iterator[Figure]:
    """Yield the chart from the finished model and the one with import. Fewer than two modes yield none."""
    if len(section.group.curves) < 2:
        return
    found = break_evens(section.group)
    numbers = numbers_of_calls(found)
    for start, title in TITLES.items():
        yield Figure(
            kind="cost",
            title=title,
            finding=" ".join(breakeven.sentences(section.group)) or "No mode here has a compilation to amortise.",
            reading="Lower is faster. Lines are medians over processes, and bands are their 95 % intervals. A diamond "
            "marks the break-even of a compiled mode, from pairs of processes; its bar is the 95 % interval.",
            columns=("part", "mode", "calls", "ns", "low", "high", "shown"),
            rows=(*lines(section, numbers, start), *crossings(section, found, start)),
            table=Table(
                ("mode", *(f"after {number(calls)}" for calls in ROUND_NUMBERS), "breaks even after"),
                tuple(prices(section, found, start)),
            ),
            modes=tuple(mode for mode in section.modes if mode in section.group.curves),
        )


def lines(section: Section, numbers: Sequence[int], start: Start) -> Iterator[Row]:
    """Yield the points of each mode's line."""
    for label, curves in section.group.curves.items():
        for total in totals(curves, start, numbers):
            at = (drawn(total.spent_ns.estimate), *ends(total.spent_ns))
            yield Row(cells=("line", label, total.calls, *at, None), frameworks=(section.framework(label),))


def crossings(section: Section, found: Sequence[BreakEven], start: Start) -> Iterator[Row]:
    """Yield the claimed break-evens that the chart can show: after the first call and before infinity."""
    for each in found:
        calls = each.calls if start == "model" else each.with_import
        # A logarithmic axis has no place for break-evens at the first call or at infinity.
        if each.payoff is Payoff.PAYS and 1 < calls.estimate < math.inf:
            (total,) = totals(section.group.curves[each.mode], start, [int(calls.estimate)])
            low, high = (drawn(calls.low), drawn(calls.high)) if math.isfinite(calls.high) else (None, None)
            near = rounded(calls)
            shown = f"{number(near.estimate)} calls ({number(near.low)} to {number(near.high)}) against {each.other}"
            both = (section.framework(each.mode), section.framework(each.other))
            at = (drawn(calls.estimate), drawn(total.spent_ns.estimate), low, high)
            yield Row(cells=("paid", each.mode, *at, shown), frameworks=both)


def prices(section: Section, found: Sequence[BreakEven], start: Start) -> Iterator[Row]:
    """Yield each mode's total time at powers of ten, and its break-evens."""
    for label, curves in section.group.curves.items():
        spent = [duration(total.spent_ns.estimate) for total in totals(curves, start, ROUND_NUMBERS)]
        paid = [paid_off(each, start) for each in found if each.mode == label]
        yield Row(cells=(label, *spent, "; ".join(paid)), frameworks=(section.framework(label),))


def paid_off(found: BreakEven, start: Start) -> str:
    """Format a break-even on one line, in the words of the terminal's tables."""
    calls = found.calls if start == "model" else found.with_import
    return f"{breakeven.shown(found, calls)} against {found.other}".replace("\n", " ")
