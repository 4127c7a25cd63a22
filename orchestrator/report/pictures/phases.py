"""Chart of the time that each phase takes, as stacked bars."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from orchestrator.analysis.ledger import PHASES, Entry, ledger
from orchestrator.report.pictures import Figure, Row, Section, Spec, Table, drawn, reports
from orchestrator.report.pictures.encoding import DURATIONS, key, modes, quantity, rows_of, told
from orchestrator.report.units import duration
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
    "harness": ("data", "export", "new_shapes", "verify", "memory", "profile", "reference", "report", "ledger"),
}

# CSS variables, so that colours follow the page's light, dark and print styles.
TONES: Final = {part: f"var(--tone-{index})" for index, part in enumerate(PARTS)}
SPEC: Spec = rows_of(30, "mode") | {
    "mark": {"type": "bar", "stroke": "var(--page)", "strokeWidth": 1, "height": {"band": 0.7}},
    "encoding": {
        "y": modes(),
        "x": quantity("ns", "time", labels=DURATIONS) | {"stack": "zero"},
        "fill": key("part", TONES),
        "order": {"field": "place"},
        "tooltip": told(mode="mode", part="phases", shown="time"),
    },
}


def figure(section: Section) -> Figure | None:
    """Make the chart of a group's ranked cells. Return None where nothing is ranked."""
    entries = {result.label: ledger(reports(records)) for result, records in section.ranked}
    if not entries:
        return None
    return Figure(
        kind="phases",
        title="Where a process spends its time",
        finding=" ".join(spent(section)),
        reading="A bar is the life of one process, as medians over processes. A user waits until the end of the first "
        "calls; the rest is the measurement. The part named harness is verification and counting.",
        columns=("mode", "part", "place", "ns", "shown"),
        rows=tuple(row for label, found in entries.items() for row in bars(section, label, found)),
        table=Table(
            ("mode", *(name.replace("_", " ") for name in seen(entries)), "total"),
            tuple(line(section, label, found, seen(entries)) for label, found in entries.items()),
        ),
        modes=tuple(entries),
    )


def spent(section: Section) -> Iterator[str]:
    """Describe the shortest and the longest wait for a first result."""
    waits = sorted((result.first_ns.estimate, result.label) for result, _ in section.ranked)
    for word, (wait, label) in zip(("first", "last"), (waits[0], waits[-1]), strict=True):
        yield f"{label} is the {word} to return a result, {duration(wait)} after its model is finished."


def bars(section: Section, label: str, found: Sequence[Entry]) -> Iterator[Row]:
    """Yield the parts of one bar, in order."""
    for place, (part, names) in enumerate(PARTS.items()):
        if took := sum(entry.wall_ns.estimate for entry in found if entry.phase in names):
            yield Row(cells=(label, part, place, drawn(took), duration(took)), frameworks=(section.framework(label),))


def seen(entries: Mapping[str, Sequence[Entry]]) -> list[PhaseName]:
    """Return the phases of any of these modes, in order."""
    there = {entry.phase for found in entries.values() for entry in found}
    return [phase for phase in PHASES if phase in there]


def line(section: Section, label: str, found: Sequence[Entry], names: Sequence[PhaseName]) -> Row:
    """Make the table's row of one mode: each phase, then the total."""
    took = {entry.phase: entry.wall_ns.estimate for entry in found}
    times = [duration(took[name]) if name in took else "" for name in names]
    return Row(cells=(label, *times, duration(sum(took.values()))), frameworks=(section.framework(label),))
