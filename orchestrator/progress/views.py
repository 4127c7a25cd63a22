"""The views of a running sweep: plain lines, and a view that survives its own mistakes."""

import time
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console

from orchestrator.execution.sweep_events import JobEnded, JobStarted, SweepEvent, UnmeasuredJobEnded
from orchestrator.format import format_duration, to_printable
from orchestrator.progress.board import Board, apply_event
from schemas.job import JobSpec
from schemas.record import JobRecord


class View(Protocol):
    """A view of a sweep in progress."""

    def __call__(self, event: SweepEvent) -> None:
        """Show an event."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ResilientView:
    """A view that falls silent when its terminal or the reader of its pipe is gone, so that the sweep continues."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._gone = False

    def __enter__(self) -> Self:
        self._call_unless_gone(self._view.__enter__)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call_unless_gone(lambda: self._view.__exit__(kind, error, trace))

    def __call__(self, event: SweepEvent) -> None:
        """Pass on an event, unless the terminal is gone."""
        self._call_unless_gone(lambda: self._view(event))

    def _call_unless_gone(self, show: Callable[[], object]) -> None:
        if not self._gone:
            try:
                show()
            except (OSError, SystemExit):  # rich exits where a pipe is broken
                self._gone = True


class PlainLines:
    """A view with one line for each job that has ended, and one for the beginning of a job that measures nothing.

    The reason of a failure that ends several cells at once is given on the first of their lines.
    """

    def __init__(self, board: Board, console: Console, now: Callable[[], float] = time.monotonic) -> None:
        self._board = board
        self._console = console
        self._now = now
        self._given = set[str]()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, event: SweepEvent) -> None:
        """Process an event, and print a line if it ended a job."""
        self._board = apply_event(self._board, event, self._now())
        line = format_event(event, self._board, self._given)
        if isinstance(event, JobEnded | UnmeasuredJobEnded) and event.record.reason:
            self._given.add(event.record.reason)
        if line:
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)


# What a job that measures nothing does, and in which part of a sweep.
ACTIVITIES = {
    "export": ("preparing", "exporting the model"),
    "reference": ("preparing", "computing the expected results"),
    "profile": ("profiling", "tracing its calls"),
}


def format_event(event: SweepEvent, board: Board, given: Collection[str]) -> str:
    """Format an event as one line; empty: it is not worth one. `given` are the reasons on earlier lines."""
    match event:
        case JobEnded():
            return format_line(board, given)
        case JobStarted(spec) if spec.purpose.kind in ACTIVITIES:
            return format_unmeasured(spec, board)
        case UnmeasuredJobEnded(record) if record.outside is not None and record.result is not None:
            took = format_duration(record.outside.spawn_to_end_ns)
            return f"{format_unmeasured(record.spec, board)} took {took}"
        case UnmeasuredJobEnded(record):
            return to_printable(f"{format_unmeasured(record.spec, board)}: {format_failure(record, given)}")
        case _:
            return ""


def format_unmeasured(spec: JobSpec, board: Board) -> str:
    """Format a job that measures nothing, and what it does."""
    stage, activity = ACTIVITIES[spec.purpose.kind]
    name = f"{board.plan.label_cell(spec.cell)} {board.plan.describe_cell(spec.cell)}"
    return to_printable(f"[{stage}] {name}: {activity}")


def format_failure(record: JobRecord, given: Collection[str]) -> str:
    """Format an outcome with its reason, unless that is the reason of a failure before, and no job was measured."""
    is_measurement = record.outside is not None and record.spec.purpose.kind == "measure"
    if not is_measurement and any(reason in record.reason for reason in given):
        return f"{record.outcome}, for the reason above"
    return f"{record.outcome}: {record.reason}"


def format_line(board: Board, given: Collection[str]) -> str:
    """Format the job that has just ended as one line."""
    record = board.records[-1]
    cell, report = record.spec.cell, record.report
    what_runs = f"{board.plan.label_cell(cell)} {board.plan.describe_cell(cell)}"
    time_taken = format_duration(min(report.samples_ns) / report.calls) if report else ""
    what = record.outcome if record.outcome == "measured" else format_failure(record, given)
    begun = f"{board.jobs_done} of about {board.jobs_expected}" if record.outside else "not started"
    place = "lost" if record.outcome == "orchestrator-lost" else begun
    said = f"[{place}] block {record.spec.block} {what_runs}: {what} {time_taken}"
    return to_printable(said).rstrip()
