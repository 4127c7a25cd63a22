"""Small real programs, each with one fault: each has exactly one ending and leaves nothing running."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil
import pytest

from orchestrator.execution import supervisor
from orchestrator.execution.stop_requests import StopRequests
from orchestrator.execution.supervisor import Ending
from orchestrator.processes.process import start_process
from orchestrator.processes.signals import Interrupts
from schemas.event import Event, Failure, Hello, Phase, Report

DOUBLES = Path(__file__).resolve().parents[2] / "doubles"


FAR_AWAY_S = 60.0


LAST = b'{"kind":"failure","outcome":"raised","reason":"all is said"}'


@dataclass
class Stage:
    """A runner of doubles as workers, with their log in a folder."""

    folder: Path
    heard: list[Event] = field(default_factory=list)

    def __call__(
        self,
        double: str,
        *arguments: str,
        message: bytes = b"",
        deadline_s: float = FAR_AWAY_S,
        interrupts: Interrupts | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> Ending:
        command = [sys.executable, "-I", "-S", str(DOUBLES / f"{double}.py"), *arguments]
        return supervisor.run(
            partial(start_process, command, {"VARIABLE": "set"}),
            message,
            self.folder / "log",
            deadline_s=deadline_s,
            on_event=on_event or self.heard.append,
            stop_requests=StopRequests(interrupts),
        )

    @property
    def log(self) -> bytes:
        return (self.folder / "log").read_bytes()

    def has_everybody_left(self) -> bool:
        """Return whether every process of the group has ended, now or within a few seconds."""
        group = next(event.pid for event in self.heard if isinstance(event, Hello))
        return soon(lambda: not any(is_member_running(process, group) for process in psutil.process_iter()))


def is_member_running(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


def soon(happens: Callable[[], bool], attempts: int = 100) -> bool:
    for _ in range(attempts):
        if happens():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_polite_worker_is_heard_to_its_end(stage: Stage) -> None:
    ending = stage("polite", message=LAST)
    assert (ending.how, ending.status) == ("ended", 0)
    assert [event.kind for event in ending.events] == ["hello", "phase", "phase", "failure"]
    assert stage.heard == list(ending.events)
    assert stage.has_everybody_left()


def test_a_long_report_arrives_whole(stage: Stage, make_report: Callable[..., Report]) -> None:
    report = make_report(warnings=["x" * 1000] * 1000)
    assert stage("polite", message=report.model_dump_json().encode()).events[-1] == report


def test_what_a_worker_prints_on_its_standard_error_is_in_its_log(stage: Stage) -> None:
    stage("polite", message=LAST)
    assert stage.log.startswith(b"a framework talks")


def test_a_worker_has_the_variables_that_it_is_given_and_not_its_parents(stage: Stage) -> None:
    stage("polite", message=LAST)
    assert b"'VARIABLE': 'set'" in stage.log
    assert b"'PATH'" not in stage.log


def test_the_time_from_outside_covers_all_of_a_workers_life(stage: Stage) -> None:
    assert stage("mute").wall_ns > 1e9


def test_fifty_megabytes_on_standard_error_do_not_stop_a_worker(stage: Stage) -> None:
    ending = stage("flood", message=LAST)
    assert isinstance(ending.events[-1], Failure)
    assert len(stage.log) > 50e6


@pytest.mark.parametrize(
    "line",
    [
        r"Traceback (most recent call last):\n",
        r"\n",
        r"\xff\xfe\x00\n",
        r'{"kind":"lunch"}\n',
        r'{"kind":"phase","name":"steady"}{"kind":"phase","name":"steady"}\n',
        r'{"kind":"hello","schema_version":99,"pid":1,"python":"x","interpreter":"x"}\n',
    ],
)
def test_a_line_that_is_no_event_ends_the_job(stage: Stage, line: str) -> None:
    ending = stage("says", line)
    assert ending.how == "garbled"
    assert "an invalid event" in ending.reason
    assert len(ending.events) == 1
    assert stage.has_everybody_left()


@pytest.mark.parametrize("double", ["endless_line", "endless_talk", "endless_events"])
def test_talk_without_end_is_cut_off(stage: Stage, double: str) -> None:
    ending = stage(double)
    assert ending.how == "garbled"
    assert "sent more than" in ending.reason
    assert stage.has_everybody_left()


def test_a_line_that_is_no_event_is_quoted_in_short(stage: Stage) -> None:
    assert len(stage("says", "y" * 100_000 + r"\n").reason) < 500


@pytest.mark.parametrize(
    ("arguments", "status"), [(("exit", "0"), 0), (("exit", "3"), 3), (("signal", "9"), -9), (("signal", "11"), -11)]
)
def test_a_worker_that_leaves_early_has_its_status_kept(stage: Stage, arguments: tuple[str, str], status: int) -> None:
    ending = stage("leaves", *arguments)
    assert (ending.how, ending.status) == ("ended", status)
    assert ending.events[-1] == Phase(name="first_call")


def test_half_a_line_is_not_an_event(stage: Stage) -> None:
    ending = stage("half_a_line")
    assert (ending.how, len(ending.events)) == ("ended", 1)


def test_a_group_that_ignores_interrupt_and_terminate_is_killed_at_its_deadline(stage: Stage) -> None:
    ending = stage("stubborn", deadline_s=1)
    assert (ending.how, ending.status) == ("timeout", -signal.SIGKILL)
    assert ending.wall_ns >= 1e9
    assert stage.has_everybody_left()


@pytest.mark.timeout(20)
def test_a_worker_that_never_reads_its_message_is_held_to_its_deadline(stage: Stage) -> None:
    assert stage("says", "", message=b"x" * (1 << 20), deadline_s=1).how == "timeout"


def test_a_deadline_may_be_months_away(stage: Stage) -> None:
    assert stage("polite", message=LAST, deadline_s=90 * 24 * 3600).how == "ended"


def test_a_grandchild_that_holds_the_pipes_does_not_hold_the_parent(stage: Stage) -> None:
    ending = stage("heir", message=LAST)
    assert (ending.how, ending.status) == ("ended", 0)
    assert isinstance(ending.events[-1], Failure)
    assert stage.has_everybody_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_parent_ends_the_job(stage: Stage, number: signal.Signals) -> None:
    def interrupt(event: Event) -> None:
        stage.heard.append(event)
        os.kill(os.getpid(), number)

    with Interrupts() as interrupts:
        ending = stage("says", "", interrupts=interrupts, on_event=interrupt)
    assert ending.how == "interrupted"
    assert number.name in ending.reason
    assert stage.has_everybody_left()


def test_a_signal_from_before_the_job_ends_it_too(stage: Stage) -> None:
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        assert stage("says", "", interrupts=interrupts).how == "interrupted"


def test_an_error_in_the_parent_leaves_nothing_running(stage: Stage) -> None:
    def stumble(event: Event) -> None:
        stage.heard.append(event)
        raise RuntimeError("the view stumbled")

    with pytest.raises(RuntimeError, match="the view stumbled"):
        stage("says", "", on_event=stumble)
    assert stage.has_everybody_left()


def test_the_parent_sleeps_while_a_worker_works_even_if_it_closed_its_channel(stage: Stage) -> None:
    before = time.process_time()
    ending = stage("mute")
    assert time.process_time() - before < 0.5 * ending.wall_ns / 1e9


def test_no_descriptor_is_left_open(stage: Stage) -> None:
    stage("polite", message=LAST)
    before = psutil.Process().num_fds()
    stage("polite", message=LAST)
    stage("leaves", "exit", "0")
    assert psutil.Process().num_fds() == before


@pytest.mark.long
def test_a_worker_that_only_its_tracer_can_reap_is_left_no_time_beyond_its_deadline(stage: Stage) -> None:
    start = time.monotonic()
    ending = stage("traced", deadline_s=1)
    assert (ending.how, ending.status) in {("timeout", -number) for number in (signal.SIGINT, signal.SIGKILL)}
    assert time.monotonic() - start < FAR_AWAY_S / 2
    assert stage.has_everybody_left()


def test_a_pipe_in_the_place_of_a_log_is_not_waited_for(stage: Stage) -> None:
    os.mkfifo(stage.folder / "log")
    with pytest.raises(OSError, match="No such device or address"):
        stage("says")


def continue_later(pid: int, after_s: float) -> None:
    """Continue a stopped process after a while."""
    threading.Timer(after_s, os.kill, (pid, signal.SIGCONT)).start()


@pytest.mark.long
def test_a_stop_counts_for_no_deadline(stage: Stage) -> None:
    def let_go(event: Event) -> None:
        stage.heard.append(event)
        if isinstance(event, Hello):
            continue_later(event.pid, 3.0)  # the double stops itself, and is then slower than the deadline allows

    ending = stage("stopped", deadline_s=2.0, on_event=let_go)
    assert (ending.how, ending.status) == ("ended", 0)
    ((began, ended),) = ending.stops
    assert ended - began > 2.0e9
    assert ending.wall_ns > ended - began


@pytest.mark.long
def test_a_worker_that_is_never_continued_is_ended_after_twice_its_deadline(stage: Stage) -> None:
    ending = stage("stopped", deadline_s=1.0)
    assert ending.how == "timeout"
    assert ending.reason == "no result within 1 s, because a signal had stopped it (SIGSTOP)"
    ((began, ended),) = ending.stops
    assert ended - began >= 1.0e9
    assert stage.has_everybody_left()


def test_a_worker_that_nothing_stops_has_no_stops_and_the_machine_was_awake(stage: Stage) -> None:
    ending = stage("polite", message=LAST)
    assert (ending.stops, ending.suspended_ns) == ((), 0)


def test_a_sleep_of_the_machine_is_told_from_two_readings_of_clocks() -> None:
    now_ns = supervisor.read_suspended_ns()
    assert supervisor.compute_suspension_ns(now_ns, supervisor.read_suspended_ns()) == 0
    assert supervisor.compute_suspension_ns(now_ns, now_ns + 180 * 10**9) == 180 * 10**9
