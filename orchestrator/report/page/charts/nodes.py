"""Chart of the ratios to the baseline by node: a dot and a bar for each mode, then the answers over all nodes."""

from collections.abc import Iterator
from typing import Final

from orchestrator.analysis.nodes.comparison import NodesComparison, NodesResult
from orchestrator.format import format_count
from orchestrator.report.nodes.rows import HEADINGS, list_pairs, list_rows
from orchestrator.report.page.charts import Chart, ChartRow, Section, Spec, Table, to_chart_interval, to_chart_number
from orchestrator.report.page.charts.encoding import encode_tone, encode_zoomed, fit_height, make_tooltip

RATIO_TICKS: Final = "format(datum.value, '~r')"
X: Final = encode_zoomed("ratio", "ratio to the baseline", labels=RATIO_TICKS, padding=12)
ROWS: Final[Spec] = {
    "y": {"field": "node", "type": "nominal", "sort": None, "title": None, "axis": {"grid": True}},
    "yOffset": {"field": "mode", "type": "nominal", "scale": {"domain": "$modes", "paddingOuter": 0.5}},
}
SPEC: Spec = fit_height(16, "node", "mode") | {
    "layer": [
        {"mark": {"type": "rule", "stroke": "var(--faint)", "strokeDash": [4, 4]}, "encoding": {"x": {"datum": 1}}},
        # The nodes stand in the order of the first layer that has them, so it must have them all.
        {
            "mark": {"type": "point", "size": 60, "filled": True, "opacity": 1},
            "encoding": ROWS
            | {
                "x": X,
                "fill": encode_tone(),
                "tooltip": make_tooltip(mode="mode", node="node", shown="ratio", blocks="blocks", verdict="verdict"),
            },
        },
        {
            "mark": {"type": "rule", "strokeWidth": 3},
            "encoding": ROWS | {"x": X | {"field": "low"}, "x2": {"field": "high"}, "stroke": encode_tone()},
        },
    ]
}


def make_chart(section: Section) -> Chart | None:
    """Make the chart of one group. Return None if one machine measured all its blocks."""
    result = section.group.over_nodes
    if result is None:
        return None
    over_baseline = [found for found in result.comparisons if found.on_nodes.baseline == section.group.baseline]
    return Chart(
        kind="nodes",
        title="By node",
        finding=f"{format_count(len(result.nodes.names))} nodes of type {result.nodes.machine_type}.",
        reading="A dot is the ratio to the baseline on one node, and below the nodes on all of them. A bar is its "
        "interval. Within the last bar, the ratio on one more node is to be expected.",
        columns=("mode", "node", "ratio", "low", "high", "shown", "blocks", "verdict"),
        rows=tuple(point for found in over_baseline for point in make_points(section, result, found)),
        table=Table(
            ("mode", "over", *HEADINGS),
            tuple(row for found in list_pairs(result) for row in make_table_rows(section, result, found)),
        ),
        modes=tuple(found.on_nodes.cell for found in over_baseline),
        wide=True,
    )


def make_points(section: Section, result: NodesResult, found: NodesComparison) -> Iterator[ChartRow]:
    """Yield the rows of a pair that have a ratio to draw."""
    cell = found.on_nodes.cell
    for row in list_rows(result, found):
        if row.ratio is not None:
            ends = to_chart_interval(row.ratio)
            place = (cell, row.name, to_chart_number(row.ratio.estimate))
            yield section.make_row((*place, *ends, row.text, row.blocks, row.verdict), cell)


def make_table_rows(section: Section, result: NodesResult, found: NodesComparison) -> Iterator[ChartRow]:
    """Yield the rows of a pair as texts."""
    here = found.on_nodes
    for row in list_rows(result, found):
        cells = (here.cell, here.baseline, f"{row.name} {row.note}".strip(), row.blocks, row.text, row.verdict)
        yield section.make_row(cells, *(label for label in (here.cell, here.baseline) if label in section.modes))
