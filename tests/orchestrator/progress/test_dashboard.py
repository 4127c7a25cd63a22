"""Views of a sweep: rare drawing, content and width. The tests set the time."""

import io
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import get_args

import pytest
from rich.console import Console

from orchestrator.analysis.forecast import Forecast
from orchestrator.cli.execution import make_view
from orchestrator.execution.keyboard import Keyboard
from orchestrator.execution.sweep_events import (
    BlockStarted,
    JobEnded,
    JobEventReceived,
    JobRestored,
    JobStarted,
    SweepEvent,
)
from orchestrator.planning.plan import Plan
from orchestrator.progress.board import Board, apply_event
from orchestrator.progress.dashboard import Dashboard, draw_dashboard
from orchestrator.progress.views import PlainLines, ResilientView
from schemas.event import Phase, PhaseName
from schemas.record import JobRecord

MakePlan = Callable[..., Plan]
MakeRecord = Callable[..., JobRecord]


@dataclass
class Screen:
    """A terminal of 80 columns, or a file, with a clock beside it."""

    is_terminal: bool = True
    now: float = 1000.0
    file: io.StringIO = field(default_factory=io.StringIO)

    def __post_init__(self) -> None:
        self.console = Console(
            file=self.file,
            width=80,
            height=60,
            force_terminal=self.is_terminal,
            color_system="standard" if self.is_terminal else None,
        )

    def is_drawn(self, show: Callable[[SweepEvent], None], event: SweepEvent, at_s: float) -> bool:
        """Show an event at that time, and return whether this wrote anything."""
        self.now, before = at_s, self.file.tell()
        show(event)
        return self.file.tell() > before


@pytest.fixture
def board(make_plan: MakePlan) -> Board:
    plan = make_plan("synthetic:spin", "synthetic:wrong", "numpy")
    start = Board(plan=plan, started_s=1000, now_s=1000, guess_s=30)
    return apply_event(start, BlockStarted(1, plan.order_cells(plan.runnable, 1)), 1000)


@pytest.fixture
def started(board: Board) -> JobStarted:
    return JobStarted(board.plan.build_job(board.plan.cells[0], 1, 0))


def render_text(board: Board) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(draw_dashboard(board))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def apply_events(board: Board, events: Sequence[SweepEvent]) -> Board:
    for event in events:
        board = apply_event(board, event, 1001)
    return board


def test_it_draws_at_most_once_a_second_however_fast_jobs_begin(board: Board, started: JobStarted) -> None:
    screen = Screen()
    with Dashboard(board, screen.console, now=lambda: screen.now) as show:
        times = [1000 + tick / 4 for tick in range(1, 41)]
        drawn = [time for time in times if screen.is_drawn(show, started, time)]
    assert len(drawn) > 5
    assert all(later - earlier >= 1 for earlier, later in pairwise(drawn))


UNTIMED: tuple[PhaseName, ...] = ("import", "build", "verify")
TIMED: tuple[PhaseName, ...] = ("first_call", "second_call", "steady")


@pytest.mark.parametrize(("phase", "draws"), [*((name, True) for name in UNTIMED), *((name, False) for name in TIMED)])
def test_it_draws_in_no_phase_that_the_results_depend_on(board: Board, phase: PhaseName, *, draws: bool) -> None:
    screen = Screen()
    with Dashboard(board, screen.console, now=lambda: screen.now) as show:
        assert screen.is_drawn(show, JobEventReceived(Phase(name=phase)), 2000) is draws


def test_it_draws_when_a_job_begins_and_not_when_one_ends(
    board: Board, started: JobStarted, make_record: MakeRecord
) -> None:
    screen = Screen()
    with Dashboard(board, screen.console, now=lambda: screen.now) as show:
        assert screen.is_drawn(show, started, 2000)
        assert not screen.is_drawn(show, JobEnded(make_record(board.plan.cells[0])), 3000)


def test_it_never_draws_by_itself(board: Board) -> None:
    threads, screen = threading.active_count(), Screen()
    with Dashboard(board, screen.console, now=lambda: screen.now):
        assert threading.active_count() == threads


def test_it_gives_the_cursor_back(board: Board) -> None:
    screen = Screen()
    with Dashboard(board, screen.console, now=lambda: screen.now):
        pass
    hidden, shown = (screen.file.getvalue().count(code) for code in ("\x1b[?25l", "\x1b[?25h"))
    assert hidden == shown == 1


def test_it_shows_what_runs_how_far_it_is_and_for_how_long_still(board: Board, started: JobStarted) -> None:
    text = render_text(apply_events(board, [started, JobEventReceived(Phase(name="build"))]))
    assert "synthetic:spin mlp backward: building and compiling the model" in text
    assert "job 1 of about" in text
    assert "block 1 of at most 3" in text
    # Four jobs of this block and two blocks of 30 s; the running job has just begun.
    assert "at most 1:30 left" in text


@pytest.mark.parametrize(
    ("forecast", "blocks", "left"),
    [
        (Forecast(12, 16, 32), "block 5 of 12 to 32", "2:40 to 9:20 left"),
        (Forecast(12, 12, 12), "block 5 of about 12", "about 2:40 left"),
    ],
)
def test_what_is_left_is_a_range_until_the_blocks_say_more(
    make_plan: MakePlan, forecast: Forecast, blocks: str, left: str
) -> None:
    plan = make_plan("numpy", "synthetic:spin", stop={"budget": 10_000, "blocks": 32})
    fifth = Board(
        plan=plan,
        started_s=0,
        now_s=80,
        guess_s=20,
        block=5,
        block_began_s=80,
        blocks_s=(20, 20, 20, 20),
        order=plan.runnable,
        forecast=forecast,
    )
    text = render_text(fifth)
    assert blocks in text
    assert left in text
    assert max(map(len, text.splitlines())) <= 80


def test_it_names_a_job_whose_cell_is_not_in_the_sweep(board: Board, started: JobStarted) -> None:
    cell = started.spec.cell.model_copy(update={"framework": "torch", "mode": "eager"})
    foreign = JobStarted(started.spec.model_copy(update={"cell": cell}))
    text = render_text(apply_events(board, [foreign, JobEventReceived(Phase(name="reference"))]))
    assert "torch:eager mlp backward: computing the expected results" in text


@pytest.mark.parametrize("phase", get_args(PhaseName))
def test_every_phase_has_words(board: Board, started: JobStarted, phase: PhaseName) -> None:
    text = render_text(apply_events(board, [started, JobEventReceived(Phase(name=phase))]))
    assert "mlp backward: starting  load" not in text
    assert "_" not in text.splitlines()[2]


def test_a_failure_is_on_show_while_the_sweep_goes_on(board: Board, make_record: MakeRecord) -> None:
    wrong = make_record(board.plan.cells[1], outcome="wrong", call_ns=123)
    assert "synthetic:wrong mlp backward: wrong: because it was wrong" in render_text(
        apply_events(board, [JobEnded(wrong)])
    )


def test_the_file_and_line_of_a_failure_are_on_show_however_long_the_sentence(
    board: Board, make_record: MakeRecord
) -> None:
    reason = f"NameError: name 'x' is not defined (/home/somebody/{'deep/' * 20}mine/torch.py:18)"
    raised = make_record(board.plan.cells[1], outcome="raised").model_copy(update={"reason": reason})
    text = render_text(apply_events(board, [JobEnded(raised)]))
    assert "mine/torch.py:18)" in text.replace("\n", "")


def test_80_columns_are_enough(board: Board, started: JobStarted, make_record: MakeRecord) -> None:
    records = [make_record(cell, block, call_ns=999_400_000) for cell in board.plan.cells for block in range(1, 13)]
    records += [make_record(board.plan.cells[1], outcome="wrong", reason="x" * 300)]
    text = render_text(apply_events(board, [*map(JobEnded, records), started]))
    assert max(map(len, text.splitlines())) <= 80
    for cell in board.plan.cells:
        assert f"{cell.framework}:{cell.mode} " in text


def test_elsewhere_it_is_one_plain_line_for_each_job(
    board: Board, started: JobStarted, make_record: MakeRecord
) -> None:
    screen = Screen(is_terminal=False)
    good = make_record(board.plan.cells[0], call_ns=34_500)
    bad = make_record(board.plan.cells[1], outcome="raised", reason="ValueError: " + "x" * 200)
    unsupported = make_record(board.plan.cells[2], outcome="unsupported", outside=None)
    with PlainLines(board, screen.console, now=lambda: screen.now) as show:
        show(started)
        show(JobEventReceived(Phase(name="build")))
        for record in (good, bad, unsupported):
            show(JobEnded(record))
    first, second, third = screen.file.getvalue().splitlines()
    assert first.endswith("block 1 synthetic:spin mlp backward: measured 34.5 µs")
    assert "synthetic:wrong mlp backward: raised: ValueError: xxx" in second
    assert third.startswith("[not started] ")


def test_a_plain_line_has_no_escape_codes_whatever_a_worker_says(board: Board, make_record: MakeRecord) -> None:
    screen = Screen(is_terminal=False)
    with PlainLines(board, screen.console) as show:
        show(JobEnded(make_record(board.plan.cells[0], outcome="raised", reason="\x1b[31mred\x1b]0;owned\x07\rline")))
    (line,) = screen.file.getvalue().splitlines()
    assert line.isprintable()


@pytest.mark.parametrize(("is_terminal", "kind"), [(True, Dashboard), (False, PlainLines)])
def test_only_a_terminal_gets_the_dashboard(
    board: Board, monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool, kind: type
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(make_view(board, Screen(is_terminal).console, Keyboard()), kind)


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_view(board, Screen().console, Keyboard()), PlainLines)


class Gone(io.StringIO):
    """A terminal that has been closed."""

    tried = 0

    def write(self, text: str) -> int:
        self.tried += 1
        raise OSError(5, "Input/output error")


def test_a_view_whose_terminal_is_gone_falls_silent(board: Board, make_record: MakeRecord) -> None:
    terminal = Gone()
    ended = JobEnded(make_record(board.plan.cells[0], 1))
    with ResilientView(PlainLines(board, Console(file=terminal, width=80))) as shown:
        shown(ended)
        heard = terminal.tried
        shown(ended)
    assert terminal.tried == heard > 0
    with ResilientView(Dashboard(board, Console(file=Gone(), width=80, force_terminal=True))) as shown:
        shown(ended)


def test_a_mistake_in_a_view_is_not_hidden(board: Board, started: JobStarted) -> None:
    def stumble() -> float:
        raise ValueError("the view stumbled")

    with (
        ResilientView(PlainLines(board, Console(file=io.StringIO()), stumble)) as shown,
        pytest.raises(ValueError, match="st"),
    ):
        shown(started)


def test_a_job_that_was_kept_has_no_line_of_its_own(board: Board, make_record: MakeRecord) -> None:
    screen = Screen(is_terminal=False)
    lines = PlainLines(board, screen.console, now=lambda: screen.now)
    assert not screen.is_drawn(lines, JobRestored(make_record(board.plan.cells[0], 1)), 1001)
    assert screen.is_drawn(lines, JobEnded(make_record(board.plan.cells[1], 1)), 1002)
    assert "[2 of about" in screen.file.getvalue()


@pytest.fixture
def suite(make_plan: MakePlan, make_record: MakeRecord) -> Board:
    """Return the board of a sweep with six computations, in each of which one mode is wrong."""
    plan = make_plan("numpy", "synthetic:wrong", axes={"workloads": ("mlp",), "batch": (1, 2, 3, 4, 5, 6)})
    start = Board(plan=plan, started_s=1000, now_s=1000, guess_s=30)
    records = [
        JobEnded(make_record(cell, outcome="wrong" if "wrong" in cell.mode else "measured")) for cell in plan.runnable
    ]
    return apply_events(apply_event(start, BlockStarted(1, plan.cells), 1000), records)


def draw_lines(board: Board, height: int, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(draw_dashboard(board, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("height", [24, 28, 32, 60])
def test_a_small_screen_is_enough_whatever_the_number_of_groups(suite: Board, height: int) -> None:
    lines = draw_lines(suite, height)
    assert len(lines) <= height
    text = "\n".join(lines)
    shown = sum(line.startswith("mlp backward, batch ") and "µs" in line for line in lines)
    more = re.search(r"and (\d) more computations?", text)
    assert max(1, shown) + (int(more[1]) if more else 0) == 6
    assert (more is None) == (height == 60)


def test_a_suite_is_on_show_as_one_table_and_a_matrix_that_call_no_row_a_baseline(suite: Board) -> None:
    text = "\n".join(draw_lines(suite, 60))
    assert text.count("ratio to baseline") == 1
    assert "Time per call by computation and mode" in text
    assert " baseline\n" not in text[text.index("Time per call by") :]


def test_a_mode_that_is_compared_with_no_other_is_not_called_the_baseline(
    make_plan: MakePlan, make_record: MakeRecord
) -> None:
    plan = make_plan("numpy")
    start = Board(plan=plan, started_s=1000, now_s=1000, guess_s=30)
    text = render_text(apply_events(start, [JobEnded(make_record(cell)) for cell in plan.cells]))
    assert "numpy:eager" in text
    assert not re.search(r"\bbaseline *\n", text)


def test_it_says_how_precise_the_ratios_are_and_what_was_asked(board: Board) -> None:
    assert "requested precision: ±2 %; intervals start with the sixth block" in render_text(board)


def test_it_says_how_busy_the_machine_is_and_how_the_last_job_was_disturbed(
    board: Board, make_record: MakeRecord
) -> None:
    assert " GiB free" in render_text(board)
    text = render_text(apply_events(board, [JobEnded(make_record(board.plan.cells[0]))]))
    assert "last job: 0 of 3 samples disturbed" in text


def test_before_the_first_block_it_says_so(make_plan: MakePlan) -> None:
    plan = make_plan("numpy", stop={"budget": 100, "blocks": 3})
    started = JobStarted(plan.build_job(plan.cells[0], 0, 0))
    text = render_text(apply_event(Board(plan=plan, started_s=1000, now_s=1000, guess_s=30), started, 1010))
    assert "before the first block" in text
    assert "block 0" not in text


@pytest.mark.parametrize("late_s", [0, 60, 600])
def test_where_a_last_job_takes_longer_than_expected_it_says_that_it_is_finishing(
    make_plan: MakePlan, make_record: MakeRecord, late_s: float
) -> None:
    plan = make_plan("numpy", stop={"budget": 25, "blocks": 1})
    first, second = plan.order_cells(plan.runnable, 1)
    last = apply_event(Board(plan=plan, started_s=0, now_s=0, guess_s=20), BlockStarted(1, (first, second)), 0)
    for event, now_s in ((JobStarted(plan.build_job(first, 1, 0)), 0.0), (JobEnded(make_record(first, 1)), 10.0)):
        last = apply_event(last, event, now_s)
    last = apply_event(last, JobStarted(plan.build_job(second, 1, 1)), 10)
    assert "at most 0:10 left" in render_text(last)
    late = render_text(apply_event(last, JobEventReceived(Phase(name="warm_up")), 20 + late_s))
    assert "finishing" in late
    assert "0:00" not in late


def test_a_sweep_that_was_asked_for_verdicts_says_so(make_plan: MakePlan) -> None:
    plan = make_plan(stop={"until": "verdict"})
    assert "requested: a verdict on every pair" in render_text(Board(plan=plan, started_s=0, now_s=0, guess_s=20))
