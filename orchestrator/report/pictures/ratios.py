"""Chart of each mode's time relative to every other's, as a matrix."""

from collections.abc import Iterator, Mapping
from typing import Final

from orchestrator.analysis.compare import CLAIMS, Comparison, Verdict, both_ways
from orchestrator.report.pictures import NARROW, Figure, Row, Section, Spec, Table
from orchestrator.report.pictures.encoding import modes, told
from orchestrator.report.units import between, number, ratio

# Signs carry the verdict where colours do not: in print and for colour-blind readers.
SIGNS: Final[Mapping[Verdict, str]] = {
    Verdict.FASTER: "−",
    Verdict.SLOWER: "+",
    Verdict.DIFFERENT_BUT_SMALL: "~",
    Verdict.EQUIVALENT: "=",
    Verdict.UNRESOLVED: "?",
    Verdict.ESTIMATOR_DEPENDENT: "?",
}
TONES: Final[Mapping[str, str]] = {
    "−": "var(--less)",
    "+": "var(--more)",
    "~": "var(--wash)",
    "=": "var(--wash)",
    "?": "var(--wash)",
}

SPEC: Spec = {
    "width": {"step": 74},
    "height": {"step": 30},
    "autosize": {"type": "pad"},
    "encoding": {
        "y": modes(),
        "x": modes() | {"field": "other", "axis": {"orient": "top", "labelAngle": -40, "labelAlign": "left"}},
        "tooltip": told(mode="time of", other="over time of", shown="ratio", ends="95 % interval", verdict="verdict"),
    },
    "layer": [
        {
            "mark": {"type": "rect", "stroke": "var(--page)", "strokeWidth": 2},
            "encoding": {
                "fill": {
                    "field": "sign",
                    "type": "nominal",
                    "legend": None,
                    "scale": {"domain": [*TONES], "range": [*TONES.values()]},
                }
            },
        },
        {"mark": {"type": "text", "fill": "var(--ink)", "fontSize": 13}, "encoding": {"text": {"field": "text"}}},
    ],
}


def figure(section: Section) -> Figure | None:
    """Make the matrix of one group. Return None where there is no pair."""
    found = section.group.comparisons
    if not found:
        return None
    claimed = sum(each.verdict in CLAIMS for each in found)
    return Figure(
        kind="ratios",
        title="Every mode against every other",
        finding=f"{number(claimed)} of {number(len(found))} pairs of modes are shown to differ.",
        reading="A number is the time of the row's mode divided by that of the column's: − faster, + slower, "
        "~ different by too little to matter, = equally fast, ? undecided by this run.",
        columns=("mode", "other", "text", "sign", "shown", "ends", "verdict"),
        rows=tuple(squares(section)),
        table=Table(
            ("mode", "over", "ratio", "95 % interval", "by typical times", "blocks", "p", "verdict"),
            tuple(pair(section, each) for each in found),
        ),
        modes=tuple(standing.cell for standing in section.group.standings),
        wide=len(section.group.standings) > NARROW,
    )


def squares(section: Section) -> Iterator[Row]:
    """Yield each pair twice, once in either direction."""
    for (baseline, cell), found in both_ways(section.group.comparisons).items():
        shown, sign = ratio(found.ratio.estimate), SIGNS[found.verdict]
        yield Row(
            cells=(cell, baseline, f"{shown} {sign}", sign, shown, between(found.ratio) or "–", str(found.verdict)),
            frameworks=(section.framework(cell), section.framework(baseline)),
        )


def pair(section: Section, found: Comparison) -> Row:
    """Make the table's row of one comparison."""
    return Row(
        cells=(
            found.cell,
            found.baseline,
            ratio(found.ratio.estimate),
            between(found.ratio),
            ratio(found.typical_ratio.estimate),
            found.blocks,
            f"{found.p:.2g}",
            str(found.verdict),
        ),
        frameworks=(section.framework(found.cell), section.framework(found.baseline)),
    )
