"""The dashboard, drawn live with rich, or plain lines where there is no terminal.

It draws when a job or an untimed phase begins, at most once a second, and never by itself: while a worker measures, its
parent sleeps.
"""

import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psutil
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from orchestrator.analysis.derivation.disturbance import count_cores, find_disturbed_samples
from orchestrator.analysis.derivation.memory import compute_memory_metrics
from orchestrator.analysis.results import Group as Results
from orchestrator.execution.keyboard import PAUSE, SKIP, STOP, Keyboard
from orchestrator.execution.sweep_events import JobEventReceived, JobStarted, SweepContinued, SweepEvent, SweepPaused
from orchestrator.format import format_clock, format_size, to_printable
from orchestrator.progress.board import Board, apply_event
from orchestrator.records.labels import format_title
from orchestrator.report.overview import build_overview
from orchestrator.report.terminal import build_group_table, format_group_rows
from schemas.event import Phase, PhaseName

# Phases whose times are results: drawing during them would disturb the measurement.
TIMED_PHASES: frozenset[PhaseName] = frozenset(
    {"export", "load", "trace", "compile", "first_call", "second_call", "new_shapes", "steady", "latency", "profile"}
)
# Short phases just before the next job: drawing them would suppress the drawing of that job's start.
LAST_PHASES: frozenset[PhaseName] = frozenset({"memory", "report", "ledger"})

PHASE_WORDS: dict[PhaseName, str] = {
    "import": "importing the framework",
    "initialise": "starting the runtime",
    "data": "drawing weights and inputs",
    "build": "building and compiling the model",
    "verify": "verifying",
    "reference": "computing the expected results",
    "warm_up": "warming up, then taking samples",
    "generation": "timing the calls of its loop",
    "growth": "watching its memory over many calls",
    "throughput": "answering several clients at once",
}
MIN_PAUSE_S = 1.0
# Lines of a table besides its rows, and of the overview with its legend and the line below it.
HEADING_LINES = 5
OVERVIEW_LINES = 8

MAX_TROUBLES = 5


class Dashboard:
    """The live view on a terminal, with its keys if there are any."""

    def __init__(
        self, board: Board, console: Console, keys: Keyboard | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._board = board
        self._now = now
        self._keys = keys or Keyboard()
        self._drawn_s = -MIN_PAUSE_S
        # auto_refresh would run a thread during measurements.
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()  # the first job that begins is what is drawn first
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: SweepEvent) -> None:
        """Process an event, and draw if the event and the time permit."""
        self._board = apply_event(self._board, event, self._now())
        rested = self._now() - self._drawn_s >= MIN_PAUSE_S
        if isinstance(event, SweepPaused) or (is_worth_drawing(event) and rested):
            self._live.update(self._render_board(), refresh=True)
            self._drawn_s = self._now()

    def _render_board(self) -> RenderableType:
        return draw_dashboard(self._board, self._live.console.height, format_key_hint(self._board, self._keys))


def is_worth_drawing(event: SweepEvent) -> bool:
    """Return whether an event starts a job or a phase that is not timed."""
    match event:
        case JobStarted() | SweepContinued():
            return True
        case JobEventReceived(Phase(name=name)):
            return name not in TIMED_PHASES and name not in LAST_PHASES
        case _:
            return False


def format_key_hint(board: Board, keys: Keyboard) -> str:
    """Return the available keys, or the effect of a pause; "" if there are no keys."""
    if not keys.listening:
        return ""
    if keys.paused:
        return f"{'paused after this job' if board.running else 'PAUSED'}: {PAUSE} continues, {STOP} stops and reports"
    return f"{PAUSE} pause   {SKIP} skip this cell   {STOP} stop and report"


def draw_dashboard(board: Board, height: int = 1000, keys: str = "") -> RenderableType:
    """Draw the dashboard in at most `height` lines: the group that runs, then an overview of several groups."""
    here = format_title(board.running.cell) if board.running else ""
    # The running group first, so that a small screen shows it.
    in_view = sorted(board.groups, key=lambda group: group.title != here)
    head = [
        Rule(f"plumbline sweep: {board.plan.spec.name}", align="left"),
        draw_progress(board),
        format_precision(board),
        format_activity(board),
        format_surroundings(board),
        *([make_short_line(keys, "dim")] if keys else []),
        *list_troubles(in_view, board.plan.computations),
    ]
    if not in_view:
        return Group(*head)
    room = height - len(head) - 1 - HEADING_LINES - sum(1 for _ in format_group_rows(in_view[0]))
    return Group(*head, Padding(build_group_table(in_view[0]), (1, 0, 0, 0)), *draw_overview(in_view, room))


def draw_overview(groups: Sequence[Results], room: int) -> Iterator[RenderableType]:
    """Yield an overview of as many of several groups as fit into this number of lines, and how many are left.

    The first of them has a table already.
    """
    count = min(len(groups), max(1, room - OVERVIEW_LINES))
    if count > 1:
        whole = build_overview(groups, is_single=True)
        yield Padding(dataclasses.replace(whole, rows=whole.rows[:count]), (1, 0, 0, 0))
    if more := len(groups) - count:
        yield make_short_line(f"and {more} more computation{'s' if more > 1 else ''}", "dim")


def list_troubles(groups: Sequence[Results], computed: Mapping[str, str]) -> Sequence[RenderableType]:
    """List the cells that failed, with reasons."""
    return [
        ShortenedLine(
            to_printable(f"{result.label} {computed[result.cell.id]}: {result.outcome}: {result.reason}"), "red"
        )
        for group in groups
        for result in group.results
        if result.outcome not in ("measured", None)
    ][:MAX_TROUBLES]


@dataclass(frozen=True, slots=True)
class ShortenedLine:
    """One line, shortened in the middle to fit: a reason ends with its file and line."""

    text: str
    style: str

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the line, at most as wide as the screen."""
        text, width = self.text, options.max_width
        if len(text) > width:
            text = f"{text[: width // 3]}…{text[width // 3 + 1 - width :]}"
        yield make_short_line(text, self.style)


def make_short_line(text: str, style: str = "") -> Text:
    """Return a text of one line, cut at the edge of the screen."""
    return Text(text, style=style, overflow="ellipsis", no_wrap=True)


def format_precision(board: Board) -> Text:
    """Format the precision of the ratios, the requested one, and the block likely to reach it."""
    stop = board.plan.spec.stop
    asked, goal = (f"±{100 * stop.precision:g} %", "requested precision")
    if stop.until == "verdict":
        asked, goal = "a verdict on every pair", "requested"
    if board.widest is None:
        return make_short_line(f"{goal}: {asked}; intervals start with the sixth block", "dim")
    cell, width = board.widest
    soon = f", likely by block {board.forecast.likely}" if board.forecast is not None else ""
    return make_short_line(f"least precise: ±{100 * width:.1f} % ({cell}); requested: {asked}{soon}")


def format_surroundings(board: Board) -> Text:
    """Format the machine's load, its free memory, and the last job's disturbance and memory footprint."""
    free = format_size(psutil.virtual_memory().available)
    parts = [f"load {os.getloadavg()[0]:.2f}", f"{free} free"]
    last = next((record for record in reversed(board.records) if record.report is not None), None)
    if last is not None and last.report is not None:
        disturbed = find_disturbed_samples(last.report, count_cores(last))
        parts.append(f"last job: {sum(disturbed)} of {len(disturbed)} samples disturbed")
        if footprint := compute_memory_metrics(last.report).get("footprint"):
            parts.append(format_size(footprint))
    return make_short_line(", ".join(parts), "dim")


def draw_progress(board: Board) -> RenderableType:
    """Draw the progress of the sweep."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(max_width=24)
    for _ in range(3):
        grid.add_column(no_wrap=True)
    grid.add_row(
        ProgressBar(total=max(1, board.jobs_expected), completed=board.jobs_done),
        f"job {board.jobs_done + (board.running is not None)} of about {board.jobs_expected}",
        *format_remaining(board),
    )
    return grid


def format_remaining(board: Board) -> tuple[str, str]:
    """Format the number of blocks and the time left, as ranges where the forecast is one."""
    few, many = board.blocks_range
    longest = board.seconds_until(many)
    if not board.block:
        return "before the first block", format_left("at most ", longest)
    if board.forecast is None:
        return f"block {board.block} of at most {many}", format_left("at most ", longest)
    if few == many:
        return f"block {board.block} of about {many}", format_left("about ", longest)
    least = format_clock(board.seconds_until(few))
    return f"block {board.block} of {few} to {many}", format_left(f"{least} to ", longest)


def format_left(head: str, seconds: float) -> str:
    """Format the time left; without any, a job takes longer than those before it, and its end is not known."""
    return f"{head}{format_clock(seconds)} left" if seconds >= 1 else "finishing"


def format_activity(board: Board) -> RenderableType:
    """Format the running job and its phase."""
    if board.running is None:
        return Text("")
    cell = board.running.cell
    phase = PHASE_WORDS.get(board.phase, "measuring") if board.phase else "starting"
    label = (board.plan.label_cell(cell), "bold")
    return Text.assemble(label, f" {board.plan.describe_cell(cell)}: {phase}", overflow="ellipsis", no_wrap=True)
