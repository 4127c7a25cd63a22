"""Chart of the spread of samples in each process."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.analysis.derivation.process import Figures, Process
from orchestrator.analysis.process_scores import collect_figures
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
    rows = [row for result, processes in section.ranked_results for row in make_boxes(result, processes, canary_ns)]
    if not rows:
        return None
    blocks = sorted({process.block for _, processes in section.ranked_results for process in processes})
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
            tuple(make_table_row(result, processes, canary_ns, blocks) for result, processes in section.ranked_results),
        ),
        modes=tuple(result.label for result, _ in section.ranked_results),
        wide=len(section.group.standings) > MAX_NARROW_MODES,
    )


def make_boxes(result: Result, processes: Sequence[Process], canary_ns: float) -> Iterator[ChartRow]:
    """Yield one cell's processes, relative to its floor."""
    for process, figures in zip(processes, collect_figures(processes), strict=True):
        found, raised = compute_spread(figures), sorted(find_flags(process, canary_ns))
        five = (found.low, found.quarter, found.median, found.three_quarters, found.high)
        shown = ", ".join(format_duration(each) for each in (found.low, found.median, found.high))
        spread = (to_chart_number(each / result.floor_ns.estimate) for each in five)
        said = ("disturbed" if raised else "quiet", shown, " ".join(raised) or "none")
        yield make_row((result.label, process.block, *spread, *said), result)


def make_table_row(result: Result, processes: Sequence[Process], canary_ns: float, blocks: Sequence[int]) -> ChartRow:
    """Make the table's row of one cell: each process in the column of its block."""
    said = {
        process.block: format_samples(process, figures, canary_ns)
        for process, figures in zip(processes, collect_figures(processes), strict=True)
    }
    return make_row((result.label, *(said.get(block, "") for block in blocks)), result)


def format_samples(process: Process, figures: Figures, canary_ns: float) -> str:
    """Format the fastest, the median and the slowest sample of one process, and its flags."""
    found = compute_spread(figures)
    three = (format_duration(each) for each in (found.low, found.median, found.high))
    return " ".join((", ".join(three), *sorted(find_flags(process, canary_ns))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The fastest sample, the quartiles and the slowest one, in nanoseconds per call."""

    low: float
    quarter: float
    median: float
    three_quarters: float
    high: float


def compute_spread(figures: Figures) -> Spread:
    """Compute the spread of one process's samples, disturbed ones included.

    Quartiles: definition 7 of Hyndman and Fan (1996).
    """
    low, quarter, median, three_quarters, high = (
        find_quantile_ns(figures.log_samples, share) for share in (0, 0.25, 0.5, 0.75, 1)
    )
    return Spread(low=low, quarter=quarter, median=median, three_quarters=three_quarters, high=high)


def find_quantile_ns(log_samples: Sequence[float], share: float) -> float:
    """Return a quantile in nanoseconds of ascending log seconds."""
    place = share * (len(log_samples) - 1)
    below, above = (1e9 * math.exp(log_samples[side]) for side in (math.floor(place), math.ceil(place)))
    return below + (above - below) * (place % 1)
