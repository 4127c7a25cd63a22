"""Chart of each mode's time relative to every other's, as a matrix."""

from collections.abc import Iterator, Mapping
from typing import Final

from orchestrator.analysis.compare import CLAIMS, Comparison, Verdict
from orchestrator.format import format_count, format_ratio, format_ratio_range
from orchestrator.report.page.charts import MAX_NARROW_MODES, Chart, ChartRow, Section, Spec, Table
from orchestrator.report.page.charts.encoding import encode_modes, make_tooltip

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
        "y": encode_modes(),
        "x": encode_modes() | {"field": "other", "axis": {"orient": "top", "labelAngle": -40, "labelAlign": "left"}},
        "tooltip": make_tooltip(
            mode="time of", other="over time of", shown="ratio", ends="95 % interval", verdict="verdict"
        ),
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


def make_chart(section: Section) -> Chart | None:
    """Make the matrix of one group. Return None where there is no pair."""
    group = section.group
    # A pair that the sweep compares is shown with the verdict of that family.
    found = [group.pairs[each.baseline, each.cell] for each in group.all_pairs]
    if not found:
        return None
    claimed = sum(each.verdict in CLAIMS for each in found)
    return Chart(
        kind="ratios",
        title="Every mode against every other",
        finding=f"{format_count(claimed)} of {format_count(len(found))} pairs of modes are shown to differ.",
        reading="A number is the time of the row's mode divided by that of the column's: − faster, + slower, "
        "~ different by too little to matter, = equally fast, ? undecided by this run.",
        columns=("mode", "other", "text", "sign", "shown", "ends", "verdict"),
        rows=tuple(make_squares(section)),
        table=Table(
            ("mode", "over", "ratio", "95 % interval", "undisturbed", "by typical times", "blocks", "p", "verdict"),
            tuple(make_table_row(section, each) for each in found),
        ),
        modes=tuple(standing.cell for standing in section.group.standings),
        wide=len(section.group.standings) > MAX_NARROW_MODES,
    )


def make_squares(section: Section) -> Iterator[ChartRow]:
    """Yield each pair twice, once in either direction."""
    for (baseline, cell), found in section.group.pairs.items():
        shown, sign = format_ratio(found.ratio.estimate), SIGNS[found.verdict]
        ends, verdict = format_ratio_range(found.ratio) or "–", str(found.verdict)
        yield section.make_row((cell, baseline, f"{shown} {sign}", sign, shown, ends, verdict), cell, baseline)


def make_table_row(section: Section, found: Comparison) -> ChartRow:
    """Make the table's row of one comparison."""
    cells = (
        found.cell,
        found.baseline,
        format_ratio(found.ratio.estimate),
        format_ratio_range(found.ratio),
        format_ratio_range(found.undisturbed or found.ratio),
        format_ratio(found.typical_ratio.estimate),
        found.blocks,
        f"{found.p:.2g}",
        str(found.verdict),
    )
    return section.make_row(cells, found.cell, found.baseline)
