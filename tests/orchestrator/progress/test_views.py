"""Views of a sweep: plain lines for each job, and a view that survives its terminal."""

import io
from collections.abc import Callable
from types import TracebackType
from typing import Self

import pytest
from rich.console import Console

from orchestrator.execution.sweep_events import (
    BlockStarted,
    JobEnded,
    JobRestored,
    JobStarted,
    SweepEvent,
    UnmeasuredJobEnded,
)
from orchestrator.format import format_duration
from orchestrator.planning.plan import Plan
from orchestrator.progress.board import Board
from orchestrator.progress.views import PlainLines, ResilientView
from schemas.artefact import Artefact
from schemas.event import Exported, Profiled
from schemas.job import ComputeReference, Export, Profile, Purpose
from schemas.record import JobRecord

MakePlan = Callable[..., Plan]
MakeRecord = Callable[..., JobRecord]


class Lines:
    """A view with plain lines of a sweep of NumPy and its clone, and what it has printed."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self._console = plan, Console(file=io.StringIO(), width=40, color_system=None)
        self._view = PlainLines(Board(plan=plan, started_s=0, now_s=0, guess_s=20), self._console, now=lambda: 1.0)
        self._view(BlockStarted(1, plan.runnable))

    def tell(self, event: SweepEvent) -> str:
        """Pass on an event, and return what was printed since."""
        file = self._console.file
        assert isinstance(file, io.StringIO)
        before = len(file.getvalue())
        with self._view as view:
            view(event)
        return file.getvalue()[before:]


@pytest.fixture
def lines(make_plan: MakePlan) -> Lines:
    return Lines(make_plan("numpy", stop={"budget": 20, "blocks": 1}))


def test_each_job_that_ended_is_one_line_with_its_time(lines: Lines, make_record: MakeRecord) -> None:
    cell = lines.plan.runnable[0]
    assert lines.tell(JobEnded(make_record(cell, call_ns=1000))) == (
        f"[1 of about 2] block 1 numpy:eager {lines.plan.computations[cell.id]}: measured 1.00 µs\n"
    )


def test_a_job_that_failed_has_its_outcome_and_reason_and_no_time(lines: Lines, make_record: MakeRecord) -> None:
    said = lines.tell(JobEnded(make_record(lines.plan.runnable[0], outcome="raised", reason="ValueError: no")))
    assert said.endswith(": raised: ValueError: no\n")


@pytest.mark.parametrize(
    ("outcome", "place"),
    [("unsupported", "[not started]"), ("raised", "[not started]"), ("orchestrator-lost", "[lost]")],
)
def test_a_job_without_a_process_says_so(lines: Lines, make_record: MakeRecord, outcome: str, place: str) -> None:
    record = make_record(lines.plan.runnable[0], outcome=outcome, outside=None)
    assert lines.tell(JobEnded(record)).startswith(f"{place} block 1 ")


def test_a_reference_that_fails_says_why_once_for_all_cells_and_tasks(lines: Lines, make_record: MakeRecord) -> None:
    reason = "two calls of net.py on the same inputs differ"
    cell = lines.plan.runnable[0]
    spec = lines.plan.build_job(cell, 1, 0).model_copy(update={"purpose": ComputeReference(path="/x.npz")})
    said = lines.tell(UnmeasuredJobEnded(make_record(cell, spec=spec, outcome="raised", reason=reason)))
    assert said.endswith(f": raised: {reason}\n")
    longer = f"its reference, torch in float64, failed: {reason}"
    for given in (reason, longer):
        kept = JobEnded(make_record(cell, outcome="raised", reason=given, outside=None))
        assert lines.tell(kept).endswith(": raised, for the reason above\n")
    again = lines.tell(UnmeasuredJobEnded(make_record(cell, spec=spec, outcome="raised", reason=reason)))
    assert again.endswith(": raised, for the reason above\n")
    other = lines.tell(JobEnded(make_record(cell, outcome="raised", reason="no memory", outside=None)))
    assert other.endswith(": raised: no memory\n")


def test_a_job_that_ran_always_has_its_reason(lines: Lines, make_record: MakeRecord) -> None:
    for _ in range(2):
        said = lines.tell(JobEnded(make_record(lines.plan.runnable[0], outcome="wrong", reason="the loss is off")))
        assert ": wrong: the loss is off" in said


def test_only_the_end_of_a_job_is_worth_a_line(lines: Lines, make_record: MakeRecord) -> None:
    cell = lines.plan.runnable[0]
    quiet: list[SweepEvent] = [
        JobStarted(lines.plan.build_job(cell, 1, 0)),
        JobRestored(make_record(cell)),
        BlockStarted(2, lines.plan.runnable),
    ]
    assert [lines.tell(event) for event in quiet] == [""] * len(quiet)


@pytest.mark.parametrize(
    ("purpose", "stage", "activity"),
    [
        (Export(path="/x.onnx"), "preparing", "exporting the model"),
        (ComputeReference(path="/x.npz"), "preparing", "computing the expected results"),
        (Profile(path="/x.json"), "profiling", "tracing its calls"),
    ],
)
def test_a_job_that_measures_nothing_is_a_line_as_it_begins_and_one_as_it_ends(
    lines: Lines, make_record: MakeRecord, purpose: Purpose, stage: str, activity: str
) -> None:
    # The cell of a reference need not be a cell of the sweep.
    cell = lines.plan.runnable[0].model_copy(update={"framework": "torch", "workload": "rnn"})
    spec = lines.plan.build_job(lines.plan.runnable[0], 1, 0)
    spec = spec.model_copy(update={"cell": cell, "purpose": purpose})
    begun = f"[{stage}] torch:eager rnn backward: {activity}"
    assert lines.tell(JobStarted(spec)) == f"{begun}\n"
    failed = make_record(cell, spec=spec, outcome="raised", reason="ValueError: no")
    assert lines.tell(UnmeasuredJobEnded(failed)) == f"{begun}: raised: ValueError: no\n"
    made = Artefact(path="/x", sha256="ab", size_bytes=3)
    result: Exported | Profiled = Exported(artefact=made, versions={}, settings=(), phases=())
    if purpose.kind == "profile":
        result = Profiled(trace=made, calls=1, counts={}, versions={}, phases=())
    done = make_record(cell, spec=spec, outcome=result.kind, reason="", result=result)
    assert done.outside is not None
    took = format_duration(done.outside.spawn_to_end_ns)
    assert lines.tell(UnmeasuredJobEnded(done)) == f"{begun} took {took}\n"


def test_a_line_is_not_wrapped_and_cannot_command_the_terminal(lines: Lines, make_record: MakeRecord) -> None:
    reason = "\x1b[31m[bold]red[/bold]\n" + "x" * 200
    said = lines.tell(JobEnded(make_record(lines.plan.runnable[0], outcome="raised", reason=reason)))
    assert "\x1b" not in said
    assert "[bold]red[/bold]" in said
    assert "x" * 200 in said


class Broken:
    """A view that fails in this way at this step, and counts the events that it was shown."""

    def __init__(self, failure: BaseException, at: str) -> None:
        self.failure, self.at, self.seen = failure, at, 0

    def _fail_at(self, step: str) -> None:
        if step == self.at:
            raise self.failure

    def __enter__(self) -> Self:
        self._fail_at("enter")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._fail_at("exit")

    def __call__(self, event: SweepEvent) -> None:
        self.seen += 1
        self._fail_at("event")


EVENT = BlockStarted(1, ())


@pytest.mark.parametrize("failure", [BrokenPipeError(), OSError(5, "Input/output error"), SystemExit(1)])
@pytest.mark.parametrize(("at", "seen"), [("enter", 0), ("event", 1), ("exit", 3)])
def test_a_terminal_that_is_gone_is_not_spoken_to_again(failure: BaseException, at: str, seen: int) -> None:
    view = Broken(failure, at)
    with ResilientView(view) as resilient:
        for _ in range(3):
            resilient(EVENT)
    assert view.seen == seen


def test_a_mistake_of_the_view_itself_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), ResilientView(Broken(ZeroDivisionError(), "event")) as resilient:
        resilient(EVENT)
