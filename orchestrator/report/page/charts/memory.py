"""Chart of resident memory from phase to phase, as steps."""

from collections.abc import Iterator, Mapping

from orchestrator.analysis.costs.phase_costs import PHASES, PhaseSummary, list_phases, summarise_phases
from orchestrator.analysis.process_scores import list_phase_costs
from orchestrator.analysis.results import Result
from orchestrator.format import format_size
from orchestrator.report.page.charts import Chart, ChartRow, Section, Spec, Table, format_phase, to_chart_number
from orchestrator.report.page.charts.encoding import (
    encode_dash,
    encode_quantity,
    encode_row_tone,
    encode_tone,
    make_tooltip,
)
from orchestrator.report.sections.memory import format_spread, list_metrics
from schemas.sweep import MemoryMetric

Y = encode_quantity("end", "resident, MiB")
SPEC: Spec = {
    "height": 320,
    "encoding": {
        "x": {
            "field": "phase",
            "type": "ordinal",
            "title": None,
            "sort": [*map(format_phase, PHASES)],
            "axis": {"labelAngle": -40, "grid": False},
        }
    },
    "layer": [
        {
            "mark": {"type": "line", "interpolate": "step", "strokeWidth": 2},
            "encoding": {"y": Y, "stroke": encode_tone(), "strokeDash": encode_dash()},
        },
        {
            "mark": {"type": "tick", "thickness": 3, "bandSize": 14, "orient": "horizontal"},
            "encoding": {
                "y": Y | {"field": "peak"},
                "fill": encode_row_tone(),
                "tooltip": make_tooltip(mode="mode", phase="phase", shown="high-water mark"),
            },
        },
    ],
}


def make_chart(section: Section) -> Chart | None:
    """Make the chart of a group's ranked cells. Return None where the system does not report memory."""
    entries = {
        result.label: select_known_entries(summarise_phases(list_phase_costs(processes)))
        for result, processes in section.ranked_results
    }
    entries = {label: found for label, found in entries.items() if found}
    if not entries:
        return None
    return Chart(
        kind="memory",
        title="Memory from phase to phase",
        finding=" ".join(describe_footprints(section)),
        reading="A step is the resident memory of the worker and its descendants at the end of a phase. A bar is the "
        "kernel's high-water mark within the phase. Both are medians over processes.",
        columns=("mode", "phase", "end", "peak", "shown"),
        rows=tuple(row for label, found in entries.items() for row in make_steps(section, label, found)),
        table=Table(
            (
                "mode",
                *(metric.replace("_", " ") for metric in list_metrics(section.group.ranked)),
                *(f"end of {format_phase(phase)}" for phase in list_phases(entries.values())),
            ),
            tuple(make_table_rows(section, entries)),
        ),
        modes=tuple(entries),
    )


def select_known_entries(entries: tuple[PhaseSummary, ...]) -> tuple[PhaseSummary, ...]:
    """Return the entries whose resident memory is known."""
    return tuple(entry for entry in entries if entry.end is not None)


def describe_footprints(section: Section) -> Iterator[str]:
    """Describe the smallest and the largest footprint."""
    known = [
        (result.memory["footprint"].estimate, result.label) for result, _ in section.ranked_results if result.memory
    ]
    for word, (count, label) in zip(("smallest", "largest"), (min(known), max(known)), strict=True):
        yield f"{label} has the {word} footprint, {format_size(count)}."


def make_steps(section: Section, label: str, found: tuple[PhaseSummary, ...]) -> Iterator[ChartRow]:
    """Yield the steps of one mode."""
    for entry in found:
        # Entries without these have been dropped, and both come from one reading.
        assert entry.peak is not None
        assert entry.end is not None
        at = (to_chart_number(to_mib(entry.end)), to_chart_number(to_mib(entry.peak)), format_size(entry.peak))
        yield section.make_row((label, format_phase(entry.phase), *at), label)


def format_metric(result: Result, metric: MemoryMetric) -> str:
    """Format one metric with its uncertainty. Return an empty string where it was not measured."""
    found = result.memory.get(metric)
    return "" if found is None else f"{format_size(found.estimate)} {format_spread(found)}".strip()


def to_mib(count: float) -> float:
    """Convert bytes to mebibytes."""
    return count / (1 << 20)


def make_table_rows(section: Section, entries: Mapping[str, tuple[PhaseSummary, ...]]) -> Iterator[ChartRow]:
    """Yield each mode's metrics with their uncertainty, then its resident memory at the end of each phase."""
    for label, found in entries.items():
        result = section.group.result(label)
        headlines = [format_metric(result, metric) for metric in list_metrics(section.group.ranked)]
        ends = {entry.phase: format_size(entry.end or 0) for entry in found}
        shown = (ends.get(phase, "") for phase in list_phases(entries.values()))
        yield section.make_row((label, *headlines, *shown), label)
