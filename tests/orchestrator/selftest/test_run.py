"""Self-test on real workers, with short checks."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from orchestrator.execution.supervisor import Ending
from orchestrator.execution.sweep_events import JobEventReceived, SweepEvent
from orchestrator.records import store
from orchestrator.selftest import run
from orchestrator.selftest.check import Check, Reading, make_spin_cell
from orchestrator.selftest.checks import interference, outcomes
from orchestrator.selftest.false_positives import FalsePositiveRate
from orchestrator.selftest.run import CheckResult, CloneMeasurement, SelfTest
from schemas.event import Event, Hello, Phase, Report
from schemas.job import JobSpec, Timing
from schemas.record import Host, JobRecord
from schemas.sweep import Stop, SweepSpec

PROGRAM = [sys.executable, "-m", "orchestrator", "selftest"]
QUICK = Timing(samples=8, sample_ns=1_000_000, warmup_min_ns=1_000_000, warmup_max_ns=1_000_000)

HELLO = Hello(pid=1, python="3.11", interpreter="x")

MakeSelfTest = Callable[..., SelfTest]
MakeReport = Callable[..., Report]


@pytest.fixture
def make_selftest(tmp_path: Path) -> Iterator[MakeSelfTest]:
    with ExitStack() as stack:

        def make(spec: SweepSpec | None = None, publish: Callable[[SweepEvent], None] = lambda _: None) -> SelfTest:
            cells = (make_spin_cell(1000), make_spin_cell(1000, replica=1))
            opened = run.open_selftest(tmp_path, spec or SweepSpec(name="selftest"), cells, ["selftest"], publish)
            return stack.enter_context(opened)

        yield make


@pytest.fixture
def make_stage(make_selftest: MakeSelfTest, make_report: MakeReport) -> MakeSelfTest:
    """Make self-tests whose jobs only act: each is measured at once, at a microsecond a call."""

    def act(spec: JobSpec, log: Path, on_event: Callable[[Event], None]) -> Ending:
        return Ending("ended", 0, (HELLO, make_report(1000)), 1)

    return lambda *given: replace(make_selftest(*given), launcher=act)


def make_check(judge: Callable[[Sequence[JobRecord]], Sequence[Reading]], name: str = "a check") -> Check:
    """Return a check of two short jobs."""
    return Check(name=name, statement="it holds", cells=(make_spin_cell(50_000),), timing=QUICK, blocks=2, judge=judge)


def reading(passed: bool | None) -> Reading:
    return Reading(quantity="x", expected="1", found="1", passed=passed)


def faults() -> Check:
    """Return the real check of outcomes, without the cell that waits for its deadline."""
    whole = outcomes.make_check()
    cells = tuple(cell for cell in whole.cells if cell.mode != "hang")
    due = [(cell, outcome) for cell, outcome in outcomes.EXPECTED_OUTCOMES if cell.mode != "hang"]
    return replace(whole, cells=cells, judge=lambda records: [outcomes.judge_outcome(*each, records) for each in due])


@pytest.mark.measures
@pytest.mark.long
def test_real_cheats_and_faults_end_as_what_they_are(make_selftest: MakeSelfTest) -> None:
    (result,) = run.run_checks([faults()], make_selftest(), lambda _: None)
    assert [reading.found for reading in result.readings if not reading.passed] == []


def test_each_job_of_each_check_leaves_its_record_in_one_run(make_stage: MakeSelfTest) -> None:
    seen: list[int] = []

    def judge(records: Sequence[JobRecord]) -> Sequence[Reading]:
        seen.append(len(records))
        return [reading(True)]

    selftest, other = make_stage(), replace(make_check(judge, "another"), cells=(make_spin_cell(60_000),))
    run.run_checks([make_check(judge), other], selftest, lambda _: None)
    assert seen == [2, 2]
    assert len(selftest.run.read_records()) == 4


def test_what_is_tried_is_said_as_it_begins_and_as_it_ends(make_stage: MakeSelfTest) -> None:
    said: list[Check | CheckResult] = []
    check = make_check(lambda _: [reading(True)])
    (result,) = run.run_checks([check], make_stage(), said.append)
    assert said == [check, result]


@pytest.mark.parametrize(
    ("readings", "passed"), [((True, None), True), ((None,), True), ((True, False), False), ((), True)]
)
def test_a_check_passes_unless_a_reading_failed(readings: tuple[bool | None, ...], *, passed: bool) -> None:
    assert CheckResult(make_check(lambda _: []), [reading(each) for each in readings], 1.0).has_passed == passed


@pytest.mark.long
def test_a_signal_beside_a_hog_ends_the_job_and_the_hog_and_leaves_no_result(make_selftest: MakeSelfTest) -> None:
    def interrupt(event: SweepEvent) -> None:
        if isinstance(event, JobEventReceived) and isinstance(event.event, Phase) and event.event.name == "warm_up":
            beside.extend(set(psutil.Process().children()) - before)
            os.kill(os.getpid(), signal.SIGINT)

    beside: list[psutil.Process] = []
    check = replace(interference.make_check(), cells=(interference.HOGGED,))
    selftest = make_selftest(publish=interrupt)
    before = set(psutil.Process().children())  # the watchdog stays as long as the session
    assert run.run_checks([check, check], selftest, lambda _: None) == []
    assert len(beside) == 2 * 2  # the job and the hog, each with a judge
    assert not any(process.is_running() for process in beside)
    assert selftest.record_ending("all checks were run") == "stopped by SIGINT"
    assert [record.outcome for record in selftest.run.read_records()] == ["interrupted"]


@pytest.mark.long
def test_clones_are_measured_block_by_block_and_compared(make_stage: MakeSelfTest) -> None:
    selftest = make_stage(SweepSpec(name="selftest-aa", stop=Stop(blocks=12, budget=run.NO_LIMIT_S)))
    clones = run.measure_clones(selftest)
    assert (clones.jobs, clones.experiments) == (24, 1)
    assert clones.rates[0].trials == 1
    assert selftest.run.read_manifest().cells == clones.cells


@pytest.mark.parametrize(
    ("claims", "trials", "passed"), [(0, 0, False), (0, 20, True), (2, 20, True), (6, 20, False), (30, 300, False)]
)
def test_rates_pass_as_long_as_chance_may_explain_them(host: Host, claims: int, trials: int, *, passed: bool) -> None:
    rates = (FalsePositiveRate("a pair", 0, 20), FalsePositiveRate("six clones", claims, trials))
    clones = CloneMeasurement(spec=SweepSpec(), cells=(), host=host, jobs=0, experiments=min(trials, 1), rates=rates)
    assert clones.has_passed == passed


def test_a_budget_without_clones_is_a_mistake_that_is_explained(tmp_path: Path) -> None:
    done = subprocess.run([*PROGRAM, "--budget", "5m"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--aa" in done.stderr


@pytest.mark.long
def test_ctrl_c_ends_the_program_with_130_and_keeps_the_run(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*PROGRAM, "--json"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        assert program.stderr is not None
        assert b"running at most" in program.stderr.readline()
        program.send_signal(signal.SIGINT)
        out, _ = program.communicate(timeout=30)
    assert program.returncode == 130
    assert json.loads(out)["stopped"] == "stopped by SIGINT"
    assert store.find_run(tmp_path / "runs", "latest").read_manifest().stopped == "stopped by SIGINT"
