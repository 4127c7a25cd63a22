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
from orchestrator.selftest.run import CheckResult, CloneTrial, SelfTest
from schemas.event import Event, Hello, Phase, Report
from schemas.job import JobSpec, Timing
from schemas.record import Host, JobRecord
from schemas.sweep import Stop, SweepSpec

PROGRAM = [sys.executable, "-m", "orchestrator", "selftest"]
QUICK = Timing(samples=8, sample_ns=1_000_000, warmup_min_ns=1_000_000, warmup_max_ns=1_000_000)

HELLO = Hello(pid=1, python="3.11", interpreter="x")

MakeBench = Callable[..., SelfTest]
MakeReport = Callable[..., Report]


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[MakeBench]:
    with ExitStack() as stack:

        def make(spec: SweepSpec | None = None, publish: Callable[[SweepEvent], None] = lambda _: None) -> SelfTest:
            cells = (make_spin_cell(1000), make_spin_cell(1000, replica=1))
            opened = run.open_selftest(tmp_path, spec or SweepSpec(name="selftest"), cells, ["selftest"], publish)
            return stack.enter_context(opened)

        yield make


@pytest.fixture
def make_stage(make_bench: MakeBench, make_report: MakeReport) -> MakeBench:
    """Make self-tests whose jobs only act: each is measured at once, at a microsecond a call."""

    def act(spec: JobSpec, log: Path, on_event: Callable[[Event], None]) -> Ending:
        return Ending("ended", 0, (HELLO, make_report(1000)), 1)

    return lambda *given: replace(make_bench(*given), launcher=act)


def promised(judge: Callable[[Sequence[JobRecord]], Sequence[Reading]], name: str = "a promise") -> Check:
    """Return a check of two short jobs."""
    return Check(name=name, says="it holds", cells=(make_spin_cell(50_000),), timing=QUICK, blocks=2, judge=judge)


def figure(kept: bool | None) -> Reading:
    return Reading(what="x", promised="1", got="1", kept=kept)


def faults() -> Check:
    """Return the real check of outcomes, without the cell that waits for its deadline."""
    whole = outcomes.make_check()
    cells = tuple(cell for cell in whole.cells if cell.mode != "hang")
    due = [(cell, outcome) for cell, outcome in outcomes.EXPECTED_OUTCOMES if cell.mode != "hang"]
    return replace(whole, cells=cells, judge=lambda records: [outcomes.judge_outcome(*each, records) for each in due])


def test_real_cheats_and_faults_end_as_what_they_are(make_bench: MakeBench) -> None:
    (finding,) = run.run([faults()], make_bench(), lambda _: None)
    assert [figure.got for figure in finding.figures if not figure.kept] == []


def test_each_job_of_each_promise_leaves_its_record_in_one_run(make_stage: MakeBench) -> None:
    seen: list[int] = []

    def judge(records: Sequence[JobRecord]) -> Sequence[Reading]:
        seen.append(len(records))
        return [figure(True)]

    bench, other = make_stage(), replace(promised(judge, "another"), cells=(make_spin_cell(60_000),))
    run.run([promised(judge), other], bench, lambda _: None)
    assert seen == [2, 2]
    assert len(bench.run.read_records()) == 4


def test_what_is_tried_is_said_as_it_begins_and_as_it_ends(make_stage: MakeBench) -> None:
    said: list[Check | CheckResult] = []
    promise = promised(lambda _: [figure(True)])
    (finding,) = run.run([promise], make_stage(), said.append)
    assert said == [promise, finding]


@pytest.mark.parametrize(
    ("figures", "kept"), [((True, None), True), ((None,), True), ((True, False), False), ((), True)]
)
def test_a_promise_is_kept_unless_a_figure_is_broken(figures: tuple[bool | None, ...], *, kept: bool) -> None:
    assert CheckResult(promised(lambda _: []), [figure(each) for each in figures], 1.0).has_passed == kept


def test_a_signal_beside_a_hog_ends_the_job_and_the_hog_and_leaves_no_finding(make_bench: MakeBench) -> None:
    def interrupt(event: SweepEvent) -> None:
        if isinstance(event, JobEventReceived) and isinstance(event.event, Phase) and event.event.name == "warm_up":
            beside.extend(set(psutil.Process().children()) - before)
            os.kill(os.getpid(), signal.SIGINT)

    beside: list[psutil.Process] = []
    promise = replace(interference.make_check(), cells=(interference.HOGGED,))
    bench = make_bench(publish=interrupt)
    before = set(psutil.Process().children())  # the watchdog stays as long as the session
    assert run.run([promise, promise], bench, lambda _: None) == []
    assert len(beside) == 2
    assert not any(process.is_running() for process in beside)
    assert bench.record_ending("all checks were run") == "stopped by SIGINT"
    assert [record.outcome for record in bench.run.read_records()] == ["interrupted"]


def test_clones_are_measured_block_by_block_and_told_apart_by_rules(make_stage: MakeBench) -> None:
    bench = make_stage(SweepSpec(name="selftest-aa", stop=Stop(blocks=12, budget=run.NO_LIMIT_S)))
    trial = run.measure_clones(bench)
    assert (trial.jobs, trial.experiments) == (24, 1)
    assert trial.rates[0].trials == 1
    assert bench.run.read_manifest().cells == trial.cells


@pytest.mark.parametrize(
    ("claims", "trials", "kept"), [(0, 0, False), (0, 20, True), (2, 20, True), (6, 20, False), (30, 300, False)]
)
def test_rates_keep_the_promise_as_long_as_chance_may_explain_them(
    host: Host, claims: int, trials: int, *, kept: bool
) -> None:
    ours = FalsePositiveRate("Plumbline", "a pair", claims, trials)
    theirs = FalsePositiveRate("another", "a pair", 20, 20)
    trial = CloneTrial(spec=SweepSpec(), cells=(), host=host, jobs=0, experiments=min(trials, 1), rates=(ours, theirs))
    assert trial.has_passed == kept


def test_so_many_pairs_need_so_many_whole_experiments() -> None:
    assert [run.count_needed_blocks(pairs) for pairs in (1, 15, 16, 300)] == [12, 12, 24, 240]


def test_a_budget_without_clones_is_a_mistake_that_is_explained(tmp_path: Path) -> None:
    done = subprocess.run([*PROGRAM, "--budget", "5m"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--aa" in done.stderr


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
