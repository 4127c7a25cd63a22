"""The sweep as it went: which job ran when, and which were disturbed or failed."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from orchestrator.analysis.disturbance import flags
from orchestrator.analysis.results import title
from orchestrator.report.pictures import Figure, Row, Spec, Table, drawn
from orchestrator.report.pictures.encoding import DURATIONS, key, quantity, rows_of, told, where
from orchestrator.report.units import duration, number
from orchestrator.store import job_name
from schemas.record import JobRecord

STATES = {"quiet": "var(--tone-0)", "disturbed": "var(--tone-4)", "not measured": "var(--bad)"}
SPEC: Spec = rows_of(22, "block") | {
    "encoding": {
        "y": {"field": "block", "type": "ordinal", "title": "block", "axis": {"grid": False}},
        "tooltip": told(job="job", group="computes", shown="took", said="outcome", flags="flags"),
    },
    "layer": [
        {
            "mark": {"type": "bar", "stroke": "var(--page)", "strokeWidth": 1, "height": {"band": 0.8}},
            "encoding": {
                "x": quantity("start", "time since the block began", labels=DURATIONS),
                "x2": {"field": "stop"},
                "fill": key("state", STATES),
            },
        },
        {
            "transform": where("datum.state != 'quiet'"),
            "mark": {"type": "text", "fill": "var(--page)", "fontWeight": "bold", "fontSize": 12},
            "encoding": {
                "x": {"field": "middle", "type": "quantitative"},
                "text": {"field": "sign"},
            },
        },
    ],
}  # fmt: skip


def figure(records: Sequence[JobRecord], canary_ns: float) -> Figure | None:
    """All jobs of a run; None where none was started. `canary_ns`: the sweep's fastest."""
    raised = {id(record): sorted(flags(record, canary_ns)) for record in records}
    begun = {id(record): at for record in records if (at := began_ns(record)) is not None}
    timed = [record for record in records if id(record) in begun]
    if not timed:
        return None
    first = {block: min(begun[id(record)] for record in timed if record.spec.block == block) for block in blocks(timed)}
    disturbed = sum(bool(raised[id(record)]) for record in timed)
    failed = sum(record.outcome != "measured" for record in timed)
    return Figure(
        kind="schedule",
        title="The schedule of the sweep",
        finding=f"{number(len(timed))} jobs in {number(len(first))} blocks; {number(disturbed)} were disturbed, "
        f"{number(failed)} not measured.",
        reading="A row is one pass over all cells, in an order of its own; a bar is one job, ! a disturbed one, × one "
        "that came to no measurement.",
        columns=("block", "start", "stop", "middle", "state", "sign", "job", "group", "shown", "said", "flags"),
        rows=tuple(bar(record, begun[id(record)] - first[record.spec.block], raised[id(record)]) for record in timed),
        table=Table(
            ("job", "began", "took", "outcome", "flags"),
            tuple(line(record, raised[id(record)]) for record in records),
        ),
        wide=True,
    )


def blocks(records: Sequence[JobRecord]) -> Iterator[int]:
    """The numbers of their blocks, each once."""
    yield from dict.fromkeys(record.spec.block for record in records)


def began_ns(record: JobRecord) -> float | None:
    """When a job was started, on any scale; None if it was not, or its record does not say."""
    if record.outside is None:
        return None
    try:
        return datetime.fromisoformat(record.outside.started).timestamp() * 1e9
    except (ValueError, OverflowError):
        return None


def bar(record: JobRecord, start_ns: float, raised: Sequence[str]) -> Row:
    """One job."""
    assert record.outside is not None
    took = record.outside.spawn_to_end_ns
    state = "not measured" if record.outcome != "measured" else "disturbed" if raised else "quiet"
    sign = {"not measured": "×", "disturbed": "!", "quiet": ""}[state]
    return Row(
        cells=(
            record.spec.block, drawn(start_ns), drawn(start_ns + took), drawn(start_ns + took / 2), state, sign,
            record.spec.cell.label, title(record.spec.cell), duration(took), record.outcome, " ".join(raised) or "none",
        ),
        frameworks=(record.spec.cell.framework,), workload=record.spec.cell.workload, task=record.spec.cell.task,
    )  # fmt: skip


def line(record: JobRecord, raised: Sequence[str]) -> Row:
    """One job in figures."""
    outside = record.outside
    return Row(
        cells=(
            job_name(record.spec), outside.started if outside else "not started",
            duration(outside.spawn_to_end_ns) if outside else "", record.outcome, " ".join(raised),
        ),
        frameworks=(record.spec.cell.framework,), workload=record.spec.cell.workload, task=record.spec.cell.task,
    )  # fmt: skip
