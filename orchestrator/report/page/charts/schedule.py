"""Chart of the schedule of a sweep: the start, the duration and the outcome of each job."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.analysis.derivation.process import Process
from orchestrator.analysis.quality.flags import find_flags
from orchestrator.format import format_count, format_duration
from orchestrator.records.labels import format_title
from orchestrator.report.page.charts import Chart, ChartRow, Spec, Table, make_cell_row, to_chart_number
from orchestrator.report.page.charts.encoding import (
    DURATION_TICKS,
    encode_categories,
    encode_quantity,
    filter_rows,
    fit_height,
    make_tooltip,
)
from schemas.job import Cell

STATES = {"quiet": "var(--tone-0)", "disturbed": "var(--tone-4)", "not measured": "var(--bad)"}
SIGNS = {"quiet": "", "disturbed": "!", "not measured": "×"}
SPEC: Spec = fit_height(22, "block") | {
    "encoding": {
        "y": {"field": "block", "type": "ordinal", "title": "block", "axis": {"grid": False}},
        "tooltip": make_tooltip(job="job", group="computes", shown="took", said="outcome", flags="flags"),
    },
    "layer": [
        {
            "mark": {"type": "bar", "stroke": "var(--page)", "strokeWidth": 1, "height": {"band": 0.8}},
            "encoding": {
                "x": encode_quantity("start", "time since the block began", labels=DURATION_TICKS),
                "x2": {"field": "stop"},
                "fill": encode_categories("state", STATES),
            },
        },
        {
            "transform": filter_rows("datum.state != 'quiet'"),
            "mark": {"type": "text", "fill": "var(--page)", "fontWeight": "bold", "fontSize": 12},
            "encoding": {"x": {"field": "middle", "type": "quantitative"}, "text": {"field": "sign"}},
        },
    ],
}


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """One job with its flags. `start_ns` counts from the first start in its block; None if unknown."""

    process: Process
    raised: tuple[str, ...]
    start_ns: float | None

    @property
    def state(self) -> str:
        """Return the job's state: quiet, disturbed or not measured."""
        return "not measured" if self.process.outcome != "measured" else "disturbed" if self.raised else "quiet"


def make_chart(processes: Sequence[Process], canary_ns: float) -> Chart | None:
    """Make the chart of a run's jobs, None if none started. `canary_ns` is the sweep's fastest canary."""
    every = list(list_jobs(processes, canary_ns))
    timed = [job for job in every if job.start_ns is not None]
    if not timed:
        return None
    blocks = sorted({job.process.block for job in every})
    disturbed, failed = (sum(job.state == state for job in timed) for state in ("disturbed", "not measured"))
    return Chart(
        kind="schedule",
        title="The schedule of the sweep",
        finding=f"{format_count(len(timed))} jobs ran in {format_count(len(blocks))} "
        f"blocks; {format_count(disturbed)} were disturbed, "
        f"{format_count(failed)} not measured.",
        reading="A row is one block: a pass over all cells in random order. A bar is one job; ! marks a disturbed job, "
        "× one without a measurement. The table lists each job's duration and its start within its block.",
        columns=("block", "start", "stop", "middle", "state", "sign", "job", "group", "shown", "said", "flags"),
        rows=tuple(map(make_bar, timed)),
        table=Table(("cell", *(f"block {block}" for block in blocks)), tuple(make_table_rows(every, blocks))),
        wide=True,
    )


def list_jobs(processes: Sequence[Process], canary_ns: float) -> Iterator[ScheduledJob]:
    """Yield the job of each process."""
    began = [parse_start_ns(process) for process in processes]
    first: dict[int, float] = {}
    # Each block starts at zero: blocks of a resumed run may be days apart.
    for process, at in zip(processes, began, strict=True):
        if at is not None:
            first[process.block] = min(at, first.get(process.block, at))
    for process, at in zip(processes, began, strict=True):
        start = None if at is None else at - first[process.block]
        yield ScheduledJob(process, tuple(sorted(find_flags(process, canary_ns))), start)


def parse_start_ns(process: Process) -> float | None:
    """Parse the timestamp of a job's start. Return None if the job did not start or its timestamp is invalid."""
    if process.started is None:
        return None
    # A record may have been edited by hand: an invalid timestamp must not break the report.
    try:
        return datetime.fromisoformat(process.started).timestamp() * 1e9
    except (ValueError, OverflowError):
        return None


def make_bar(job: ScheduledJob) -> ChartRow:
    """Make the bar of one job."""
    assert job.process.took_ns is not None
    assert job.start_ns is not None
    cell, took = job.process.cell, job.process.took_ns
    ends = (
        to_chart_number(job.start_ns),
        to_chart_number(job.start_ns + took),
        to_chart_number(job.start_ns + took / 2),
    )
    said = (cell.label, format_title(cell), format_duration(took), job.process.outcome, " ".join(job.raised) or "none")
    return make_cell_row((job.process.block, *ends, job.state, SIGNS[job.state], *said), cell)


def make_table_rows(every: Sequence[ScheduledJob], blocks: Sequence[int]) -> Iterator[ChartRow]:
    """Yield a row for each cell, with its job in each block."""
    of_cell: dict[str, tuple[Cell, dict[int, str]]] = {}
    for job in every:
        cell = job.process.cell
        of_cell.setdefault(job.process.cell_id, (cell, {}))[1][job.process.block] = format_job(job)
    for cell, found in of_cell.values():
        shown = (found.get(block, "") for block in blocks)
        yield make_cell_row((f"{cell.label}, {format_title(cell)}", *shown), cell)


def format_job(job: ScheduledJob) -> str:
    """Format one job as `2.10 s, at 12.3 s CANARY`: duration, start, outcome unless measured, and flags."""
    took_ns = job.process.took_ns
    took = "not started" if took_ns is None else format_duration(took_ns)
    at = "" if job.start_ns is None else f", at {format_duration(job.start_ns)}"
    outcome = () if job.process.outcome == "measured" else (job.process.outcome,)
    return " ".join((took + at, *outcome, *job.raised))
