"""Chart of resident memory from phase to phase, as steps."""

from collections.abc import Iterator, Mapping
from typing import Final

from orchestrator.analysis.ledger import PHASES, Entry, ledger
from orchestrator.analysis.memory import MEANING
from orchestrator.analysis.results import Result
from orchestrator.report.memory import spread
from orchestrator.report.pictures import Figure, Row, Section, Spec, Table, drawn, reports
from orchestrator.report.pictures.encoding import dash, own_tone, quantity, told, tone
from orchestrator.report.units import size
from schemas.sweep import MemoryMetric

NAMES: Final = [phase.replace("_", " ") for phase in PHASES]
Y = quantity("end", "resident, MiB")
SPEC: Spec = {
    "height": 320,
    "encoding": {
        "x": {
            "field": "phase",
            "type": "ordinal",
            "title": None,
            "sort": NAMES,
            "axis": {"labelAngle": -40, "grid": False},
        }
    },
    "layer": [
        {
            "mark": {"type": "line", "interpolate": "step", "strokeWidth": 2},
            "encoding": {"y": Y, "stroke": tone(), "strokeDash": dash()},
        },
        {
            "mark": {"type": "tick", "thickness": 3, "bandSize": 14, "orient": "horizontal"},
            "encoding": {
                "y": Y | {"field": "peak"},
                "fill": own_tone(),
                "tooltip": told(mode="mode", phase="phase", shown="high-water mark"),
            },
        },
    ],
}


def figure(section: Section) -> Figure | None:
    """Make the chart of a group's ranked cells. Return None where the system does not report memory."""
    entries = {result.label: known(ledger(reports(records))) for result, records in section.ranked}
    entries = {label: found for label, found in entries.items() if found}
    if not entries:
        return None
    return Figure(
        kind="memory",
        title="Memory from phase to phase",
        finding=" ".join(footprints(section)),
        reading="A step is the resident memory of the worker and its descendants at the end of a phase. A bar is the "
        "kernel's high-water mark within the phase. Both are medians over processes.",
        columns=("mode", "phase", "end", "peak", "shown"),
        rows=tuple(row for label, found in entries.items() for row in steps(section, label, found)),
        table=Table(
            (
                "mode",
                *(metric.replace("_", " ") for metric in counted(section)),
                *(f"end of {name}" for name in seen(entries)),
            ),
            tuple(lines(section, entries)),
        ),
        modes=tuple(entries),
    )


def known(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Return the entries whose resident memory is known."""
    return tuple(entry for entry in entries if entry.end is not None)


def seen(entries: Mapping[str, tuple[Entry, ...]]) -> list[str]:
    """Return the phases of any of these modes, in order."""
    there = {entry.phase for found in entries.values() for entry in found}
    return [phase.replace("_", " ") for phase in PHASES if phase in there]


def footprints(section: Section) -> Iterator[str]:
    """Describe the smallest and the largest footprint."""
    known = [(result.memory["footprint"].estimate, result.label) for result, _ in section.ranked if result.memory]
    for word, (count, label) in zip(("smallest", "largest"), (min(known), max(known)), strict=True):
        yield f"{label} has the {word} footprint, {size(count)}."


def steps(section: Section, label: str, found: tuple[Entry, ...]) -> Iterator[Row]:
    """Yield the steps of one mode."""
    for entry in found:
        # Entries without these have been dropped, and both come from one reading.
        assert entry.peak is not None
        assert entry.end is not None
        at = (drawn(mib(entry.end)), drawn(mib(entry.peak)), size(entry.peak))
        yield Row(cells=(label, entry.phase.replace("_", " "), *at), frameworks=(section.framework(label),))


def counted(section: Section) -> list[MemoryMetric]:
    """Return the memory metrics of any of these modes, in order."""
    there = {metric for result, _ in section.ranked for metric in result.memory}
    return [metric for metric in MEANING if metric in there]


def headline(result: Result, metric: MemoryMetric) -> str:
    """Format one metric with its uncertainty. Return an empty string where it was not measured."""
    found = result.memory.get(metric)
    return "" if found is None else f"{size(found.estimate)} {spread(found)}".strip()


def mib(count: float) -> float:
    """Convert bytes to mebibytes."""
    return count / (1 << 20)


def lines(section: Section, entries: Mapping[str, tuple[Entry, ...]]) -> Iterator[Row]:
    """Yield each mode's metrics with their uncertainty, then its resident memory at the end of each phase."""
    for label, found in entries.items():
        result = section.group.result(label)
        headlines = [headline(result, metric) for metric in counted(section)]
        ends = {entry.phase.replace("_", " "): size(entry.end or 0) for entry in found}
        yield Row(
            cells=(label, *headlines, *(ends.get(name, "") for name in seen(entries))),
            frameworks=(section.framework(label),),
        )
