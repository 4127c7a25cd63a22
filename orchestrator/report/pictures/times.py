"""Times per call as dots and bars on a logarithmic axis, with letters for ties."""

import string
from collections.abc import Iterator, Mapping

from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.ties import tied_sets
from orchestrator.report.pictures import Figure, Row, Section, Spec, Table, drawn, ends
from orchestrator.report.pictures.encoding import DURATIONS, ONE_TWO_FIVE, modes, quantity, rows_of, told, where
from orchestrator.report.units import between, duration, places, ratio
from orchestrator.report.words import fastest

X = quantity("ns", "time per call", at=ONE_TWO_FIVE, labels=DURATIONS, padding=36)
SPEC: Spec = rows_of(30, "mode") | {
    "encoding": {"y": modes()},
    "layer": [
        {
            "transform": where("isValid(datum.low)"),
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
                "tooltip": told(mode="mode", shown="time per call", ties="ties", said="result"),
            },
        },
        {
            "transform": where("isValid(datum.ties)"),
            "mark": {"type": "text", "align": "left", "dx": 10, "fontSize": 13, "fill": "var(--ink)"},
            "encoding": {"x": X | {"field": "end"}, "text": {"field": "ties"}},
        },
    ],
}


def figure(section: Section) -> Figure:
    """The times of one group."""
    group = section.group
    timed, tied = [result for result in group.results if result.floor_ns.estimate > 0], letters(group)
    return Figure(
        kind="times",
        title="Time per call",
        finding=" ".join(fastest(group)) or "None of these modes is shown to be the fastest.",
        reading="Further left is faster. A dot is the median over processes of each one's fastest sample, its bar the "
        "95 % interval; dots with a letter in common cannot be told apart; a diamond is the A/A clone, a cross a "
        "time that does not count.",
        columns=("part", "mode", "ns", "low", "high", "end", "ties", "shown", "said"),
        rows=tuple(dot(result, tied.get(result.label)) for result in timed),
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
            ),
            tuple(rows(group)),
        ),
        modes=section.modes,
        wide=True,
    )


def dot(result: Result, ties: str | None) -> Row:
    """One cell that has a time, whether or not it counts."""
    measured = result.outcome == "measured"
    part = "barred" if not measured else "clone" if result.cell.replica else "ranked"
    said = "measured" if measured else f"{result.outcome}: {result.reason}"
    shown = duration(result.floor_ns.estimate)
    at, (low, high) = drawn(result.floor_ns.estimate), ends(result.floor_ns)
    return Row(
        cells=(part, result.label, at, low, high, high or at, ties, shown, said), frameworks=(result.cell.framework,)
    )


def letters(group: Group) -> Mapping[str, str]:
    """The letters of each cell that is tied, one for each set of cells that cannot be told apart (Piepho 2004)."""
    found: dict[str, str] = {}
    for number, members in enumerate(tied_sets(group.standings)):
        for label in members:
            found[label] = f"{found[label]} {letter(number)}" if label in found else letter(number)
    return found


def letter(number: int) -> str:
    """`a` to `z`, then `a2` and so on."""
    again, place = divmod(number, len(string.ascii_lowercase))
    return string.ascii_lowercase[place] + (str(again + 1) if again else "")


def rows(group: Group) -> Iterator[Row]:
    """Every cell of the group: the ranked by their place, then the clone, then what has no rank."""
    against = group.against | ({group.clone.cell: group.clone} if group.clone else {})
    ranks = {standing.cell: places(standing.best, standing.worst) for standing in group.standings}
    order, tied = [group.result(standing.cell) for standing in group.standings], letters(group)
    for result in (*order, *(each for each in group.results if each.label not in ranks)):
        found = against.get(result.label)
        yield Row(
            cells=(
                result.label,
                counted(result),
                spanned(result),
                ranks.get(result.label, ""),
                tied.get(result.label, ""),
                ratio(found.ratio.estimate) if found else "",
                between(found.ratio) if found else "",
                duration(result.first_ns.estimate),
                result.jobs,
                result.grade if result.outcome == "measured" else "",
                said(group, result),
            ),
            frameworks=(result.cell.framework,),
        )


def counted(result: Result) -> str:
    """A time, with the mark of one that does not count."""
    time = duration(result.floor_ns.estimate)
    return f"{time}, not counted" if result.outcome != "measured" and result.floor_ns.estimate > 0 else time


def spanned(result: Result) -> str:
    """The ends of a time's interval; empty where the data support none."""
    low, high = ends(result.floor_ns)
    return f"{duration(low)} to {duration(high)}" if low and high else ""


def said(group: Group, result: Result) -> str:
    """A verdict, or what came instead; the reason stands in the words and at the top of the page."""
    if result.outcome != "measured":
        return result.outcome or "not run"
    if group.clone is not None and result.label == group.clone.cell:
        return f"A/A clone: {group.clone.verdict}"
    if result.label == group.baseline:
        return "baseline"
    found = group.against.get(result.label)
    return str(found.verdict) if found else "A/A clone"
