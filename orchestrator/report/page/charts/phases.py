"""Chart of the time that each phase takes, as stacked bars."""

from collections.abc import Iterator, Sequence
from typing import Final

from orchestrator.analysis.costs.phase_costs import PhaseSummary, list_phases, summarise_phases
from orchestrator.analysis.process_scores import list_phase_costs
from orchestrator.format import format_duration
from orchestrator.report.page.charts import Chart, ChartRow, Section, Spec, Table, format_phase, to_chart_number
from orchestrator.report.page.charts.encoding import (
    DURATION_TICKS,
    encode_categories,
    encode_modes,
    encode_quantity,
    fit_height,
    make_tooltip,
)
from schemas.event import PhaseName

# Related phases share a colour, because a reader can tell only about eight apart.
PARTS: Final[dict[str, tuple[PhaseName, ...]]] = {
    "interpreter": ("start",),
    "import": ("import",),
    "runtime and model": ("initialise", "build", "load"),
    "trace and compile": ("trace", "compile"),
    "first calls": ("first_call", "second_call"),
    "warm-up": ("warm_up",),
    "samples": ("steady",),
    "harness": (
        "data",
        "export",
        "new_shapes",
        "verify",
        "latency",
        "memory",
        "generation",
        "growth",
        "throughput",
        "profile",
        "reference",
        "report",
        "ledger",
    ),
}

# CSS variables, so that colours follow the page's light, dark and print styles.
TONES: Final = {part: f"var(--tone-{index})" for index, part in enumerate(PARTS)}
SPEC: Spec = fit_height(30, "mode") | {
    "mark": {"type": "bar", "stroke": "var(--page)", "strokeWidth": 1, "height": {"band": 0.7}},
    "encoding": {
        "y": encode_modes(),
        "x": encode_quantity("ns", "time", labels=DURATION_TICKS) | {"stack": "zero"},
        "fill": encode_categories("part", TONES),
        "order": {"field": "place"},
        "tooltip": make_tooltip(mode="mode", part="phases", shown="time"),
    },
}


def make_chart(section: Section) -> Chart | None:
    """Make the chart of a group's ranked cells. Return None where nothing is ranked."""
    entries = {
        result.label: summarise_phases(list_phase_costs(processes)) for result, processes in section.ranked_results
    }
    if not entries:
        return None
    names = list_phases(entries.values())
    return Chart(
        kind="phases",
        title="Where a process spends its time",
        finding=" ".join(describe_waits(section)),
        reading="A bar is the life of one process, as medians over processes. A user waits until the end of the first "
        "calls; the rest is the measurement. The part named harness is verification and counting.",
        columns=("mode", "part", "place", "ns", "shown"),
        rows=tuple(row for label, found in entries.items() for row in make_bars(section, label, found)),
        table=Table(
            ("mode", *map(format_phase, names), "total"),
            tuple(make_table_row(section, label, found, names) for label, found in entries.items()),
        ),
        modes=tuple(entries),
    )


def describe_waits(section: Section) -> Iterator[str]:
    """Describe the shortest and the longest wait for a first result."""
    waits = sorted((result.first_ns.estimate, result.label) for result, _ in section.ranked_results)
    for word, (wait, label) in zip(("first", "last"), (waits[0], waits[-1]), strict=True):
        yield f"{label} is the {word} to return a result, {format_duration(wait)} after its model is finished."


def make_bars(section: Section, label: str, found: Sequence[PhaseSummary]) -> Iterator[ChartRow]:
    """Yield the parts of one bar, in order."""
    for place, (part, names) in enumerate(PARTS.items()):
        if took := sum(entry.wall_ns.estimate for entry in found if entry.phase in names):
            yield section.make_row((label, part, place, to_chart_number(took), format_duration(took)), label)


def make_table_row(section: Section, label: str, found: Sequence[PhaseSummary], names: Sequence[PhaseName]) -> ChartRow:
    """Make the table's row of one mode: each phase, then the total."""
    took = {entry.phase: entry.wall_ns.estimate for entry in found}
    times = [format_duration(took[name]) if name in took else "" for name in names]
    return section.make_row((label, *times, format_duration(sum(took.values()))), label)
