"""Memory from phase to phase, as steps."""

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
    """The memory of a group's ranked cells; None where this system does not count."""
    entries = {result.label: known(ledger(reports(records))) for result, records in section.ranked}
    entries = {label: found for label, found in entries.items() if found}
    if not entries:
        return None
    return Figure(
        kind="memory",
        title="Memory from phase to phase",
        finding=" ".join(footprints(section)),
        reading="A step is what is resident at the end of a phase, over the worker and all that it started; a bar is "
        "the kernel's high-water mark within the phase. Medians over processes.",
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
    """The phases of which it is known what was resident."""
    return tuple(entry for entry in entries if entry.end is not None)


def seen(entries: Mapping[str, tuple[Entry, ...]]) -> list[str]:
    """The phases that any of these modes has, in order."""
    there = {entry.phase for found in entries.values() for entry in found}
    return [phase.replace("_", " ") for phase in PHASES if phase in there]


def footprints(section: Section) -> Iterator[str]:
    """The smallest and the largest process."""
    known = [(result.memory["footprint"].estimate, result.label) for result, _ in section.ranked if result.memory]
    for word, (count, label) in zip(("smallest", "largest"), (min(known), max(known)), strict=True):
        yield f"The {word} footprint is that of {label}, {size(count)}."


def steps(section: Section, label: str, found: tuple[Entry, ...]) -> Iterator[Row]:
    """The steps of one mode."""
    for entry in found:
        assert entry.peak is not None
        assert entry.end is not None
        at = (drawn(mib(entry.end)), drawn(mib(entry.peak)), size(entry.peak))
        yield Row(cells=(label, entry.phase.replace("_", " "), *at), frameworks=(section.framework(label),))


def counted(section: Section) -> list[MemoryMetric]:
    """The headlines that any of these modes has, in order."""
    there = {metric for result, _ in section.ranked for metric in result.memory}
    return [metric for metric in MEANING if metric in there]


def headline(result: Result, metric: MemoryMetric) -> str:
    """One headline with how far it may be off; empty where it was not counted."""
    found = result.memory.get(metric)
    return "" if found is None else f"{size(found.estimate)} {spread(found)}".strip()


def mib(count: float) -> float:
    """Bytes in mebibytes."""
    return count / (1 << 20)


def lines(section: Section, entries: Mapping[str, tuple[Entry, ...]]) -> Iterator[Row]:
    """One mode's headlines with how far they may be off, then what was resident at each phase's end."""
    for label, found in entries.items():
        result = section.group.result(label)
        headlines = [headline(result, metric) for metric in counted(section)]
        ends = {entry.phase.replace("_", " "): size(entry.end or 0) for entry in found}
        yield Row(
            cells=(label, *headlines, *(ends.get(name, "") for name in seen(entries))),
            frameworks=(section.framework(label),),
        )
