"""The content of the server's pages, as texts and tables: the words of the terminal, in the columns of a page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

from orchestrator.analysis.axis import AxisTable
from orchestrator.analysis.derivation.process import Process
from orchestrator.analysis.nodes.comparison import NodesResult
from orchestrator.analysis.results import Group
from orchestrator.analysis.run import Run
from orchestrator.comparison.compare import Compared
from orchestrator.comparison.history import map_series_keys
from orchestrator.format import format_duration
from orchestrator.records.labels import format_title
from orchestrator.records.store import log_stem
from orchestrator.records.timestamps import parse_timestamp
from orchestrator.report import axis
from orchestrator.report.alarms import list_alarms
from orchestrator.report.comparison.sentences import describe_basis, describe_comparison
from orchestrator.report.comparison.terminal import format_change
from orchestrator.report.job.facts import describe_ending, describe_measurements, describe_request
from orchestrator.report.job.terminal import read_log_tail
from orchestrator.report.nodes.rows import HEADINGS, list_pairs, list_rows, name_pair
from orchestrator.report.nodes.sentences import describe_next_sweep, describe_nodes
from orchestrator.report.nodes.types import describe_run_turnarounds
from orchestrator.report.sections import calls
from orchestrator.report.sentences import describe_skipped, list_deprecations
from orchestrator.report.server import shares
from orchestrator.report.server.library import OpenRun, describe_state
from orchestrator.report.server.shown_table import ShownTable
from orchestrator.report.summary import summarise_groups, write_notes
from orchestrator.report.terminal import format_group_rows
from schemas.record import JobRecord

GROUP_HEADINGS: Final = ("mode", "time per call", "ratio to baseline (95 % interval)", "rank", "first result", "n")
CHANGE_HEADINGS: Final = ("mode", "A / B", "n", "B over A (95 % interval)", "memory")
VERDICT: Final = "verdict"

# Jobs on one page, and in each message about a running sweep.
MAX_JOBS: Final = 200


@dataclass(frozen=True, slots=True)
class Results:
    """The results of a run so far."""

    alarms: Sequence[str]
    answer: Sequence[str]
    machine: str
    skipped: Sequence[str]
    tables: Sequence[ShownTable]
    notes: Sequence[str]
    others: Sequence["Results"] = ()
    """Those on each other type of machine."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run. `log` are the last lines of the running job, and `nodes` those that have taken a share."""

    state: str
    text: str
    job: str
    log: Sequence[str]
    nodes: ShownTable | None = None


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job in the list of a run's jobs."""

    name: str
    outcome: str
    text: str
    is_bad: bool


@dataclass(frozen=True, slots=True)
class JobRows:
    """Some jobs of a run in a row, the newest first. `newer` is the number of those before them."""

    total: int
    newer: int
    rows: Sequence[JobRow]

    @property
    def last(self) -> int:
        """The number of jobs up to the last of them."""
        return self.newer + len(self.rows)

    @property
    def before(self) -> int:
        """The number of jobs before the next newer page."""
        return max(0, self.newer - MAX_JOBS)

    @property
    def caption(self) -> str:
        """A description of the rows, in words."""
        counted = f"{self.total:,} job{'' if self.total == 1 else 's'}, the newest first"
        return f"{counted}: {self.newer + 1:,} to {self.last:,}" if len(self.rows) < self.total else counted


def build_results(run: Run) -> Results:
    """Return the answer of a run in words, its tables, and notes."""
    along = run.axis_tables
    answer = axis.summarise_axis(along) or summarise_groups(run.groups)
    answer += calls.describe_best_modes(run.groups, run.manifest.sweep.calls)
    keys = map_series_keys(run.manifest.cells)
    shown = [*map(show_axis_table, along), *(table for group in run.groups for table in show_group(group, keys))]
    told = [*axis.write_axis_notes(along, run), *write_notes(run.groups), *list_deprecations(run.cells)]
    over_nodes = [said for group in run.groups if group.over_nodes for said in describe_nodes(group.over_nodes)]
    return Results(
        alarms=list_alarms(run.groups),
        answer=[*answer, *describe_run_turnarounds(run)],
        machine=run.machine_type.label,
        skipped=[*describe_skipped(run.skipped)],
        tables=shown,
        notes=[*told, *over_nodes, *describe_next_sweep(run)],
        others=[build_results(other) for other in run.others],
    )


def show_group(group: Group, keys: Mapping[str, str]) -> Iterator[ShownTable]:
    """Yield the table of one group, and that by node of each of its pairs. `keys` are those of the cells' histories."""
    yield show_group_table(group, keys)
    if group.over_nodes is not None:
        yield from show_nodes(group.over_nodes)


def show_nodes(result: NodesResult) -> Iterator[ShownTable]:
    """Yield the table of each pair by node: the nodes, and then the answers over them."""
    for found in list_pairs(result):
        rows = list_rows(result, found)
        cells = [(f"{row.name} {row.note}".strip(), row.blocks, row.text, row.verdict) for row in rows]
        yield ShownTable(name_pair(result, found), HEADINGS, cells)


def show_group_table(group: Group, keys: Mapping[str, str]) -> ShownTable:
    """Return the table of one group."""
    rows = [to_texts(cells) for cells in format_group_rows(group, fold_labels=False)]
    measured = [each for each in group.results if each.outcome == "measured" and not each.cell.replica]
    modes = [(each.label, keys[each.cell.id]) for each in measured]
    return ShownTable(group.title, (*GROUP_HEADINGS, VERDICT), rows, modes)


def show_axis_table(table: AxisTable) -> ShownTable:
    """Return the table of one computation along an axis."""
    rows = [to_texts(axis.format_row(row)) for row in table.rows]
    return ShownTable(table.title, tuple(axis.list_headings(table.axis, table.unit)), rows)


def to_texts(cells: Sequence[object]) -> list[str]:
    """Return the cells of a terminal's row on one line each."""
    return [join_lines(str(cell)) for cell in cells]


def join_lines(text: str) -> str:
    """Return a text that a narrow terminal has on several lines as one line."""
    return text.replace("-\n", "-").replace("\n", " / ")


def build_progress(found: OpenRun, now: datetime) -> Progress:
    """Return how far a run has come."""
    manifest = found.manifest
    ended = [process for process in found.reader.processes if process.started is not None]
    block = max((process.block for process in ended), default=0)
    jobs = f"{len(ended)} job{'' if len(ended) == 1 else 's'}"
    told = f"{jobs} ended, {block} of at most {manifest.sweep.stop.blocks} blocks"
    state = describe_state(found.writer, finished=manifest.finished)
    if state != "running":
        return Progress(state, f"{told}. Ended: {manifest.stopped}." if manifest.stopped else f"{told}.", "", ())
    began, log = parse_timestamp(manifest.started), found.place.find_open_log()
    elapsed = f", {format_duration((now - began).total_seconds() * 1e9)} since its start" if began else ""
    job, tail = (log_stem(log), read_log_tail(log)) if log else ("", [])
    nodes = shares.show_progress(found.place, now) if manifest.sweep.is_shared_out else None
    return Progress(state, f"{told}{elapsed}.", job, tail, nodes)


def list_jobs(processes: Sequence[Process], newer: int = 0) -> JobRows:
    """Return the newest jobs of a run, or those that are older than so many."""
    end = max(0, len(processes) - newer)
    chosen = processes[max(0, end - MAX_JOBS) : end]
    return JobRows(len(processes), newer, [make_job_row(process) for process in reversed(chosen)])


def make_job_row(process: Process) -> JobRow:
    """Return the row of one job."""
    time = format_duration(process.figures.floor_ns) if process.figures else ""
    is_bad = process.outcome not in ("measured", "unsupported", "skipped")
    return JobRow(process.name, process.outcome, time or process.reason, is_bad)


def list_job_facts(record: JobRecord, canary_ns: float) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield the headings and the facts of one job."""
    yield "Ending", [*describe_ending(record)]
    yield "Request", [*describe_request(record)]
    if record.report is not None:
        yield "Measured", [*describe_measurements(record, record.report, canary_ns)]


def build_comparison(compared: Compared) -> tuple[Sequence[str], Sequence[ShownTable], Sequence[str]]:
    """Return the basis of a comparison, a table for each computation, and what follows."""
    tables = [
        ShownTable(
            title,
            (*CHANGE_HEADINGS, VERDICT),
            [[change.cell.label, *map(join_lines, format_change(change))] for change in changes],
        )
        for title, changes in groupby(compared.changes, key=lambda change: format_title(change.cell))
    ]
    return describe_basis(compared), tables, describe_comparison(compared, [])
