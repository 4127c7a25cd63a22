"""Chart of each mode's arithmetic rate under the machine's measured peaks: the roofline."""

from collections.abc import Iterator, Mapping

from orchestrator.analysis.roofline import Achieved, Roof, achieved, roof
from orchestrator.report.pictures import Figure, Row, Section, Spec, Table, drawn, reports
from orchestrator.report.pictures.encoding import RATES, TENS, quantity, shape, told, tone, where

X = quantity("intensity", "operations per byte", at=TENS, labels="format(datum.value, '~g')", nice=False)
Y = quantity("rate", "operations per second", at=TENS, labels=RATES)
SPEC: Spec = {
    "height": 320,
    "encoding": {"x": X, "y": Y},
    "layer": [
        {
            "transform": where("datum.part == 'roof'"),
            "mark": {"type": "line", "stroke": "var(--ink)", "strokeWidth": 2},
        },
        {
            "transform": where("datum.part == 'mode'"),
            "mark": {"type": "point", "size": 90, "filled": True, "opacity": 1},
            "encoding": {"color": tone(), "shape": shape(), "tooltip": told(mode="mode", shown="achieved")},
        },
    ],
}


def figure(section: Section) -> Figure | None:
    """Make the roofline of one group. Return None where there is no work to count, or no peak was measured."""
    every = [report for _, records in section.ranked for report in reports(records)]
    under = roof(every)
    if under is None:
        return None
    points = dict(reached(section, under))
    if not points:
        return None
    best = max(points, key=lambda label: points[label].share)
    return Figure(
        kind="roofline",
        title="Roofline, achieved against measured peaks",
        finding=f"{best} comes closest to the roof, at {percent(points[best].share)} of the peak that was measured "
        "for its intensity.",
        reading="The line is the highest rate measured in this sweep: the memory bandwidth on the left, the peak of "
        "a matrix product on the right. The lower a mode's marker, the less of its time is arithmetic.",
        columns=("part", "mode", "intensity", "rate", "shown"),
        rows=(*corners(under, points), *(marker(section, label, found) for label, found in points.items())),
        table=Table(
            ("mode", "operations per byte", "operations per second", "bytes per second", "of the roof", "roof"),
            tuple(line(section, label, found, under) for label, found in points.items()),
        ),
        modes=tuple(points),
    )


def reached(section: Section, under: Roof) -> Iterator[tuple[str, Achieved]]:
    """Yield the rate that each ranked mode achieves at its floor."""
    for result, records in section.ranked:
        works = [report.work for report in reports(records)]
        if works and (found := achieved(works[0], result.floor_ns.estimate, under)) is not None:
            yield result.label, found


def corners(under: Roof, points: Mapping[str, Achieved]) -> Iterator[Row]:
    """Yield the corners of the roof, extended by a decade beyond all markers."""
    seen = [under.ridge, *(found.intensity for found in points.values())]
    for intensity in (min(seen) / 10, under.ridge, max(seen) * 10):
        yield Row(cells=("roof", None, drawn(intensity), drawn(under.at(intensity)), None))


def marker(section: Section, label: str, found: Achieved) -> Row:
    """Make one mode's marker."""
    shown = f"{rate(found.flops_per_s)}op/s, {percent(found.share)} of the roof"
    cells = ("mode", label, drawn(found.intensity), drawn(found.flops_per_s), shown)
    return Row(cells=cells, frameworks=(section.framework(label),))


def line(section: Section, label: str, found: Achieved, under: Roof) -> Row:
    """Make the table's row of one mode."""
    return Row(
        cells=(
            label,
            f"{found.intensity:.3g}",
            f"{rate(found.flops_per_s)}op/s",
            f"{rate(found.bytes_per_s)}B/s",
            percent(found.share),
            f"{rate(under.at(found.intensity))}op/s",
        ),
        frameworks=(section.framework(label),),
    )


def rate(value: float) -> str:
    """Format a rate with its SI prefix, ready for its unit: `1.23 G`."""
    scale, prefix = next((step for step in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if value >= step[0]), (1.0, ""))
    return f"{value / scale:.3g} {prefix}"


def percent(share: float) -> str:
    """Format a share as `0.34 %`. Two significant digits keep a small share visible."""
    return f"{100 * share:.2g} %"
