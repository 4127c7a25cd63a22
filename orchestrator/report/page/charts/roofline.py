"""Chart of each mode's arithmetic rate under the machine's measured peaks: the roofline."""

from collections.abc import Iterator, Mapping

from orchestrator.analysis.costs.roofline import Achieved, Roof, compute_achieved, find_roof
from orchestrator.analysis.process_scores import collect_figures
from orchestrator.report.page.charts import Chart, ChartRow, Section, Spec, Table, to_chart_number
from orchestrator.report.page.charts.encoding import (
    RATE_TICKS,
    TENS,
    encode_marker,
    encode_quantity,
    encode_tone,
    filter_rows,
    make_tooltip,
)
from schemas.event import Work

X = encode_quantity("intensity", "operations per byte", at=TENS, labels="format(datum.value, '~g')", nice=False)
Y = encode_quantity("rate", "operations per second", at=TENS, labels=RATE_TICKS)
SPEC: Spec = {
    "height": 320,
    "encoding": {"x": X, "y": Y},
    "layer": [
        {
            "transform": filter_rows("datum.part == 'roof'"),
            "mark": {"type": "line", "stroke": "var(--ink)", "strokeWidth": 2},
        },
        {
            "transform": filter_rows("datum.part == 'mode'"),
            "mark": {"type": "point", "size": 90, "filled": True, "opacity": 1},
            "encoding": {
                "color": encode_tone(),
                "shape": encode_marker(),
                "tooltip": make_tooltip(mode="mode", shown="achieved"),
            },
        },
    ],
}


def make_chart(section: Section) -> Chart | None:
    """Make the roofline of one group. Return None where there is no work to count, or no peak was measured."""
    every = [figures for _, processes in section.ranked_results for figures in collect_figures(processes)]
    under = find_roof(every)
    if under is None:
        return None
    points = dict(locate_modes(section, under))
    if not points:
        return None
    best = max(points, key=lambda label: points[label].share)
    return Chart(
        kind="roofline",
        title="Roofline, achieved against measured peaks",
        finding=f"{best} comes closest to the roof, at {format_percent(points[best].share)} "
        "of the peak that was measured "
        "for its intensity.",
        reading="The line is the highest rate measured in this sweep: the memory bandwidth on the left, the peak of "
        "a matrix product on the right. The lower a mode's marker, the less of its time is arithmetic.",
        columns=("part", "mode", "intensity", "rate", "shown"),
        rows=(
            *make_roof_corners(under, points),
            *(make_marker(section, label, found) for label, found in points.items()),
        ),
        table=Table(
            ("mode", "operations per byte", "operations per second", "bytes per second", "of the roof", "roof"),
            tuple(make_table_row(section, label, found, under) for label, found in points.items()),
        ),
        modes=tuple(points),
    )


def locate_modes(section: Section, under: Roof) -> Iterator[tuple[str, Achieved]]:
    """Yield the rate that each ranked mode achieves at its floor."""
    for result, processes in section.ranked_results:
        figures = collect_figures(processes)
        if not figures:
            continue
        work = Work(flops=figures[0].work_flops, bytes=figures[0].work_bytes)
        if (found := compute_achieved(work, result.floor_ns.estimate, under)) is not None:
            yield result.label, found


def make_roof_corners(under: Roof, points: Mapping[str, Achieved]) -> Iterator[ChartRow]:
    """Yield the corners of the roof, extended by a decade beyond all markers."""
    seen = [under.ridge, *(found.intensity for found in points.values())]
    for intensity in (min(seen) / 10, under.ridge, max(seen) * 10):
        yield ChartRow(
            cells=("roof", None, to_chart_number(intensity), to_chart_number(under.flops_per_s_at(intensity)), None)
        )


def make_marker(section: Section, label: str, found: Achieved) -> ChartRow:
    """Make one mode's marker."""
    shown = f"{format_si_rate(found.flops_per_s)}op/s, {format_percent(found.share)} of the roof"
    cells = ("mode", label, to_chart_number(found.intensity), to_chart_number(found.flops_per_s), shown)
    return section.make_row(cells, label)


def make_table_row(section: Section, label: str, found: Achieved, under: Roof) -> ChartRow:
    """Make the table's row of one mode."""
    cells = (
        label,
        f"{found.intensity:.3g}",
        f"{format_si_rate(found.flops_per_s)}op/s",
        f"{format_si_rate(found.bytes_per_s)}B/s",
        format_percent(found.share),
        f"{format_si_rate(under.flops_per_s_at(found.intensity))}op/s",
    )
    return section.make_row(cells, label)


def format_si_rate(value: float) -> str:
    """Format a rate with its SI prefix, ready for its unit: `1.23 G`."""
    scale, prefix = next((step for step in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if value >= step[0]), (1.0, ""))
    return f"{value / scale:.3g} {prefix}"


def format_percent(share: float) -> str:
    """Format a share as `0.34 %`. Two significant digits keep a small share visible."""
    return f"{100 * share:.2g} %"
