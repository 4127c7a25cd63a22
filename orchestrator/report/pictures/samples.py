"""Chart of the spread of samples in each process."""

from collections.abc import Iterator, Sequence

from orchestrator.analysis.disturbance import flags
from orchestrator.analysis.results import Result
from orchestrator.analysis.spread import spread
from orchestrator.report.pictures import NARROW, Figure, Row, Section, Spec, Table, drawn, reports
from orchestrator.report.pictures.encoding import ONE_TWO_FIVE, key, modes, quantity, rows_of, told
from orchestrator.report.units import duration, number
from schemas.event import Report
from schemas.record import JobRecord

# Fine ticks near the floor, where most samples lie.
TICKS = [1, 1.01, 1.02, 1.05, 1.1, 1.2, 1.5, *(tick for tick in ONE_TWO_FIVE if tick > 1)]
LABELS = "format(datum.value, '~g') + ' ×'"
X = quantity("median", "time over the mode's floor", at=TICKS, labels=LABELS, grid=False, nice=False)
SPEC: Spec = rows_of(7, "mode", "block") | {
    "encoding": {
        "y": modes(),
        "yOffset": {"field": "block", "type": "ordinal", "scale": {"paddingOuter": 1}},
        "color": key("state", {"quiet": "var(--tone-0)", "disturbed": "var(--bad)"}),
        "tooltip": told(mode="mode", block="block", shown="floor, median and slowest", flags="flags"),
    },
    "layer": [
        {
            "mark": {"type": "rule", "strokeWidth": 1},
            "encoding": {
                "x": X | {"field": "low"},
                "x2": {"field": "high"},
                "strokeDash": {"condition": {"test": "datum.state == 'disturbed'", "value": [2, 2]}, "value": [1, 0]},
            },
        },
        {
            "mark": {"type": "bar", "height": 4, "opacity": 0.6},
            "encoding": {"x": X | {"field": "quarter"}, "x2": {"field": "three"}},
        },
        {
            "mark": {"type": "tick", "thickness": 2, "size": 6, "opacity": 1, "color": "var(--ink)"},
            "encoding": {"x": X},
        },
    ],
}


def figure(section: Section, canary_ns: float) -> Figure | None:
    """Make the chart of a group's ranked cells, None if there are none. `canary_ns` is the sweep's fastest canary."""
    rows = [row for result, records in section.ranked for row in boxes(result, records, canary_ns)]
    if not rows:
        return None
    blocks = sorted({record.spec.block for _, records in section.ranked for record in records})
    disturbed = sum("disturbed" in row.cells for row in rows)
    return Figure(
        kind="samples",
        title="Samples by process",
        finding=f"{number(disturbed)} of {number(len(rows))} processes were disturbed.",
        reading="A line spans one process from its fastest to its slowest sample. Its box is the middle half, its tick "
        "the median. Times are relative to the mode's floor. Blocks run from top to bottom; dashed lines are disturbed "
        "processes. The table lists each process's fastest, median and slowest sample.",
        columns=("mode", "block", "low", "quarter", "median", "three", "high", "state", "shown", "flags"),
        rows=tuple(rows),
        table=Table(
            ("mode", *(f"block {block}" for block in blocks)),
            tuple(line(result, records, canary_ns, blocks) for result, records in section.ranked),
        ),
        modes=tuple(result.label for result, _ in section.ranked),
        wide=len(section.group.standings) > NARROW,
    )


def boxes(result: Result, records: Sequence[JobRecord], canary_ns: float) -> Iterator[Row]:
    """Yield one cell's processes, relative to its floor."""
    for record, report in zip(records, reports(records), strict=True):
        found, raised = spread(report), sorted(flags(record, canary_ns))
        five = (found.low, found.quarter, found.median, found.three_quarters, found.high)
        shown = ", ".join(duration(each) for each in (found.low, found.median, found.high))
        yield Row(
            cells=(
                result.label,
                record.spec.block,
                *(drawn(each / result.floor_ns.estimate) for each in five),
                "disturbed" if raised else "quiet",
                shown,
                " ".join(raised) or "none",
            ),
            frameworks=(result.cell.framework,),
        )


def line(result: Result, records: Sequence[JobRecord], canary_ns: float, blocks: Sequence[int]) -> Row:
    """Make the table's row of one cell: each process in the column of its block."""
    said = {
        record.spec.block: times(record, report, canary_ns)
        for record, report in zip(records, reports(records), strict=True)
    }
    return Row(cells=(result.label, *(said.get(block, "") for block in blocks)), frameworks=(result.cell.framework,))


def times(record: JobRecord, report: Report, canary_ns: float) -> str:
    """Format the fastest, the median and the slowest sample of one process, and its flags."""
    found = spread(report)
    three = (duration(each) for each in (found.low, found.median, found.high))
    return " ".join((", ".join(three), *sorted(flags(record, canary_ns))))
