"""The board drawn live with rich; plain lines where there is no terminal.

It draws when a job begins and when an untimed phase begins, at most once a second, and never by itself: while a
worker measures, its parent sleeps.
"""

import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from orchestrator.analysis.results import title
from orchestrator.board import Board, fold
from orchestrator.report.terminal import table
from orchestrator.report.units import clock, duration, printable
from orchestrator.sweep import JobEnded, JobSaid, JobStarted, SweepEvent
from schemas.event import Phase, PhaseName

TIMED: frozenset[PhaseName] = frozenset({"export", "load", "trace", "compile", "first_call", "second_call", "steady"})
WORDS: dict[PhaseName, str] = {
    "import": "importing the framework", "initialise": "starting the runtime",
    "data": "drawing weights and inputs", "build": "building and compiling the model", "verify": "verifying",
    "warm_up": "warming up, then taking samples", "memory": "measuring memory", "report": "reporting",
}  # fmt: skip
LEAST_PAUSE_S = 1.0


class View(Protocol):
    """Something that shows a sweep while it runs."""

    def __call__(self, event: SweepEvent) -> None:
        """Take in an event."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Dashboard:
    """The live view on a terminal."""

    def __init__(self, board: Board, console: Console, now: Callable[[], float] = time.monotonic) -> None:
        self._board = board
        self._now = now
        self._drawn_s = -LEAST_PAUSE_S
        self._live = Live(draw(board), console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        self._drawn_s = self._now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: SweepEvent) -> None:
        """Take in an event, and draw if it is a moment to draw."""
        self._board = fold(self._board, event, self._now())
        if worth_drawing(event) and self._now() - self._drawn_s >= LEAST_PAUSE_S:
            self._live.update(draw(self._board), refresh=True)
            self._drawn_s = self._now()


class Steadfast:
    """A view whose terminal may go away, or whose reader may stop reading: it falls silent, and the sweep goes on."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._gone = False

    def __enter__(self) -> Self:
        self._unless_gone(self._view.__enter__)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unless_gone(lambda: self._view.__exit__(kind, error, trace))

    def __call__(self, event: SweepEvent) -> None:
        """Hand on an event while there is anybody to see it."""
        self._unless_gone(lambda: self._view(event))

    def _unless_gone(self, show: Callable[[], object]) -> None:
        if not self._gone:
            try:
                show()
            except (OSError, SystemExit):  # rich exits where a pipe is broken
                self._gone = True


class PlainLines:
    """One line for each job that has ended."""

    def __init__(self, board: Board, console: Console, now: Callable[[], float] = time.monotonic) -> None:
        self._board = board
        self._console = console
        self._now = now

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, event: SweepEvent) -> None:
        """Take in an event, and print a line if it ended a job."""
        self._board = fold(self._board, event, self._now())
        if isinstance(event, JobEnded):
            self._console.print(line(self._board), highlight=False, markup=False, soft_wrap=True)


def worth_drawing(event: SweepEvent) -> bool:
    """A job's beginning, and phases that no clock of its own is running in."""
    match event:
        case JobStarted():
            return True
        case JobSaid(Phase(name=name)):
            return name not in TIMED
        case _:
            return False


def line(board: Board) -> str:
    """The job that has just ended, in one line."""
    record = board.records[-1]
    cell, report = record.spec.cell, record.report
    what_runs = f"{board.plan.labels[cell.id]} {cell.workload} {cell.task}"
    time_taken = duration(min(report.samples_ns) / report.calls) if report else ""
    what = record.outcome if record.outcome == "measured" else f"{record.outcome}: {record.reason}"
    place = (
        f"{board.jobs_done} of about {board.jobs_expected}"
        if record.outside
        else "not started"
        if record.outcome == "unsupported"
        else "lost"
    )
    said = f"[{place}] block {record.spec.block} {what_runs}: {what} {time_taken}"
    return printable(said).rstrip()


def draw(board: Board) -> RenderableType:
    """The whole dashboard, the group that is being measured on top."""
    here = title(board.running.cell) if board.running else ""
    in_view = sorted(board.groups, key=lambda group: group.title != here)
    troubles = [
        Text(
            printable(f"{result.label}: {result.outcome}: {result.reason}"),
            style="red",
            overflow="ellipsis",
            no_wrap=True,
        )
        for group in in_view
        for result in group.results
        if result.outcome not in ("measured", None)
    ]
    return Group(
        Rule(f"plumbline sweep: {board.plan.spec.name}", align="left"),
        progress(board), activity(board), *troubles, *(Padding(table(group), (1, 0, 0, 0)) for group in in_view),
    )  # fmt: skip


def progress(board: Board) -> RenderableType:
    """How far the sweep has come."""
    grid = Table.grid(padding=(0, 2))
    grid.add_row(
        ProgressBar(total=max(1, board.jobs_expected), completed=board.jobs_done, width=24),
        f"job {board.jobs_done + (board.running is not None)} of about {board.jobs_expected}",
        f"block {board.block} of about {board.expected_blocks}",
        f"about {clock(board.seconds_left)} left",
    )
    return grid


def activity(board: Board) -> RenderableType:
    """What runs now, and how busy the machine is."""
    load = f"load {os.getloadavg()[0]:.2f}"
    if board.running is None:
        return Text(load, style="dim")
    cell = board.running.cell
    phase = WORDS.get(board.phase, "measuring") if board.phase else "starting"
    return Text.assemble(
        (board.plan.labels[cell.id], "bold"),
        f" {cell.workload} {cell.task}: {phase}  ",
        (load, "dim"),
        overflow="ellipsis",
        no_wrap=True,
    )
