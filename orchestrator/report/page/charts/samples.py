"""Chart of the spread of samples in each process."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.analysis.quality.flags import find_flags
from orchestrator.analysis.results import Result
from orchestrator.format import format_count, format_duration
from orchestrator.report.page.charts import (
    MAX_NARROW_MODES,
    Chart,
    ChartRow,
    Section,
    Spec,
    Table,
    list_reports,
    make_row,
    to_chart_number,
)
from orchestrator.report.page.charts.encoding import (
    ONE_TWO_FIVE,
    encode_categories,
    encode_modes,
    encode_quantity,
    fit_height,
    make_tooltip,
)
from schemas.event import Report
from schemas.record import JobRecord

# Fine ticks near the floor, where most samples lie.
TICKS = [1, 1.01, 1.02, 1.05, 1.1, 1.2, 1.5, *(tick for tick in ONE_TWO_FIVE if tick > 1)]
LABELS = "format(datum.value, '~g') + ' ×'"
X = encode_quantity("median", "time over the mode's floor", at=TICKS, labels=LABELS, grid=False, nice=False)
SPEC: Spec = fit_height(7, "mode", "block") | {
    "encoding": {
        "y": encode_modes(),
        "yOffset": {"field": "block", "type": "ordinal", "scale": {"paddingOuter": 1}},
        "color": encode_categories("state", {"quiet": "var(--tone-0)", "disturbed": "var(--bad)"}),
        "tooltip": make_tooltip(mode="mode", block="block", shown="floor, median and slowest", flags="flags"),
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


def make_chart(section: Section, canary_ns: float) -> Chart | None:
    """Make the chart of a group's ranked cells, None if there are none. `canary_ns` is the sweep's fastest canary."""
    rows = [row for result, records in section.ranked_records for row in make_boxes(result, records, canary_ns)]
    if not rows:
        return None
    blocks = sorted({record.spec.block for _, records in section.ranked_records for record in records})
    disturbed = sum("disturbed" in row.cells for row in rows)
    return Chart(
        kind="samples",
        title="Samples by process",
        finding=f"{format_count(disturbed)} of {format_count(len(rows))} processes were disturbed.",
        reading="A line spans one process from its fastest to its slowest sample. Its box is the middle half, its tick "
        "the median. Times are relative to the mode's floor. Blocks run from top to bottom; dashed lines are disturbed "
        "processes. The table lists each process's fastest, median and slowest sample.",
        columns=("mode", "block", "low", "quarter", "median", "three", "high", "state", "shown", "flags"),
        rows=tuple(rows),
        table=Table(
            ("mode", *(f"block {block}" for block in blocks)),
            tuple(make_table_row(result, records, canary_ns, blocks) for result, records in section.ranked_records),
        ),
        modes=tuple(result.label for result, _ in section.ranked_results),
        wide=len(section.group.standings) > MAX_NARROW_MODES,
    )


def make_boxes(result: Result, records: Sequence[JobRecord], canary_ns: float) -> Iterator[ChartRow]:
    """Yield one cell's processes, relative to its floor."""
    for record, report in zip(records, list_reports(records), strict=True):
        found, raised = compute_spread(report), sorted(find_flags(record, canary_ns))
        five = (found.low, found.quarter, found.median, found.three_quarters, found.high)
        shown = ", ".join(format_duration(each) for each in (found.low, found.median, found.high))
        spread = (to_chart_number(each / result.floor_ns.estimate) for each in five)
        said = ("disturbed" if raised else "quiet", shown, " ".join(raised) or "none")
        yield make_row((result.label, record.spec.block, *spread, *said), result)


def make_table_row(result: Result, records: Sequence[JobRecord], canary_ns: float, blocks: Sequence[int]) -> ChartRow:
    """Make the table's row of one cell: each process in the column of its block."""
    said = {
        record.spec.block: format_samples(record, report, canary_ns)
        for record, report in zip(records, list_reports(records), strict=True)
    }
    return make_row((result.label, *(said.get(block, "") for block in blocks)), result)


def format_samples(record: JobRecord, report: Report, canary_ns: float) -> str:
    """Format the fastest, the median and the slowest sample of one process, and its flags."""
    found = compute_spread(report)
    three = (format_duration(each) for each in (found.low, found.median, found.high))
    return " ".join((", ".join(three), *sorted(find_flags(record, canary_ns))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The fastest sample, the quartiles and the slowest one, in nanoseconds per call."""

    low: float
    quarter: float
    median: float
    three_quarters: float
    high: float


def compute_spread(report: Report) -> Spread:
    """Compute the spread of one process's samples, disturbed ones included.

    Quartiles: definition 7 of Hyndman and Fan (1996).
    """
    times = np.array(report.samples_ns) / report.calls
    low, quarter, median, three_quarters, high = np.quantile(times, (0, 0.25, 0.5, 0.75, 1)).tolist()
    return Spread(low=low, quarter=quarter, median=median, three_quarters=three_quarters, high=high)
