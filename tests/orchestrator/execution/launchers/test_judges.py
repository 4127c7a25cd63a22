"""The judge compares results in a process of its own, once a job has ended, whatever the reference does."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import psutil
import pytest

from orchestrator.execution import supervisor
from orchestrator.execution.classify import classify_ending
from orchestrator.execution.launchers.judges import MOST_JUDGES, Judges
from orchestrator.execution.launchers.local import JobStarter, LocalLauncher
from orchestrator.execution.stop_requests import StopKind, StopRequests
from orchestrator.execution.supervisor import Ending, EndKind
from orchestrator.records.outcomes import Classification
from orchestrator.registry.workloads import load_workload_folder
from schemas.event import Failure, Report
from schemas.job import Cell, Export, JobSpec

QUICK = {"sample_ns": 10**6, "samples": 5, "warmup_min_ns": 10**6}

REFERENCE = """
    import os, sys, time
    import numpy as np
    def weights(parameters, rng): return {{"w": rng.standard_normal((4,))}}
    def shapes(parameters, batch): return (((batch, 4),),)
    def inputs(parameters, rng, shapes): return tuple(rng.standard_normal(shape) for shape in shapes)
    def backward(parameters, weights, x): raise NotImplementedError
    def forward(parameters, weights, x):
        if sys.argv[1:] == ["judge"]:
            {judging}
        return x * weights["w"]
"""
Made = Callable[..., JobSpec]
Judged = Callable[..., Classification]


@pytest.fixture
def made(tmp_path: Path, make_spec: Callable[..., JobSpec]) -> Made:
    """Make a short job of a workload whose reference has this line in its forward pass."""

    def make(judging: str = "pass", name: str = "own", **changes: object) -> JobSpec:
        folder = tmp_path / name
        folder.mkdir()
        folder.joinpath("workload.toml").write_text('summary = "written by a test"')
        folder.joinpath("reference.py").write_text(dedent(REFERENCE).format(judging=judging))
        code = load_workload_folder(folder).code
        cell = Cell(framework="numpy", mode="eager", workload=name, task="forward", batch=2, code=code)
        # What is not thorough accuses nobody by its times, which a busy machine could.
        return make_spec(cell, timing=QUICK, cpus=(), source_dir=str(folder), **{"thorough": False} | changes)

    return make


@pytest.fixture
def judges() -> Iterator[Judges]:
    with closing(Judges()) as standing:
        yield standing


@pytest.fixture
def judged(judges: Judges, tmp_path: Path) -> Judged:
    """Run a job, and classify its ending."""

    def run(spec: JobSpec) -> Classification:
        return classify_ending(spec, LocalLauncher(judges=judges)(spec, tmp_path / "log", lambda _: None))

    return run


def test_the_reference_is_evaluated_once_for_all_jobs(made: Made, judged: Judged, tmp_path: Path) -> None:
    spec, evaluated = made(f'open("{tmp_path}/evaluated", "a").write(f"{{os.getpid()}}\\n")'), tmp_path / "evaluated"
    assert judged(spec).outcome == "measured"
    first = evaluated.read_text()
    assert judged(spec).outcome == "measured"
    # Which calls within samples are compared is left to chance, and with them the sets of inputs.
    assert len(evaluated.read_text().split()) <= len(first.split()) + 2 * 4
    (judge,) = set(evaluated.read_text().split())
    assert int(judge) in {child.pid for child in psutil.Process().children()}


def test_a_report_is_kept_with_what_the_judge_found_and_without_what_it_needed(
    made: Made, judges: Judges, tmp_path: Path
) -> None:
    spec = made()
    report = LocalLauncher(judges=judges)(spec, tmp_path / "log", lambda _: None).events[-1]
    assert isinstance(report, Report)
    assert {check.inputs for check in report.verification.checks} >= {"input set 0, first call"}
    assert (report.saved, report.work.bytes > 0) == ((), True)
    assert not [*tmp_path.glob("**/results.npy")]


def test_what_a_reference_prints_is_in_the_log_of_the_job(made: Made, judged: Judged, tmp_path: Path) -> None:
    spec = made('print("evaluated"); print("and said", file=sys.stderr); os.write(1, b"by the kernel\\n")')
    assert judged(spec).outcome == "measured"
    log = (tmp_path / "log").read_text()
    assert all(text in log for text in ("evaluated", "and said", "by the kernel"))


@pytest.mark.long
@pytest.mark.parametrize(
    ("judging", "outcome", "said"),
    [
        ("raise ArithmeticError('no such sum')", "raised", "own/reference.py:10)"),
        ("os._exit(3)", "raised", "the process for working out its data and what is right exited with status 3"),
        ("os.kill(os.getpid(), 9)", "raised", "what is right ended by SIGKILL"),
        ("return None", "raised", "reference.py"),
    ],
)
def test_a_reference_that_fails_ends_its_job_and_no_other(
    made: Made, judged: Judged, judging: str, outcome: str, said: str
) -> None:
    found = judged(made(judging))
    assert found.outcome == outcome
    assert said in found.reason
    assert judged(made(name="other")).outcome == "measured"


@pytest.mark.long
def test_a_reference_that_does_not_end_is_ended_at_a_deadline(made: Made, judged: Judged) -> None:
    found = judged(made("time.sleep(600)", deadline_s=2))
    assert (found.outcome, found.reason) == ("raised", "working out its data and what is right took longer than 6 s")
    assert not psutil.Process().children()


class Stopping(StopRequests):
    """A request to stop the sweep that is there all the time."""

    def find_request(self) -> tuple[StopKind, str] | None:
        return ("interrupted", "the sweep was stopped")


@pytest.fixture
def reported(made: Made, tmp_path: Path) -> Callable[..., tuple[JobSpec, Ending]]:
    """Run a job whose reference has a line for its judge; return it with the ending that its worker came to."""

    def run(judging: str = "pass", **changes: object) -> tuple[JobSpec, Ending]:
        spec = made(judging, **changes)
        placed = spec.model_copy(update={"results": str(tmp_path / "results.npy")})
        ended = supervisor.run(
            JobStarter(placed, Path(sys.executable), tmp_path, None).start_job,
            placed.model_dump_json().encode(),
            tmp_path / "log",
            deadline_s=60,
            on_event=lambda _: None,
        )
        assert isinstance(ended.events[-1], Report), ended
        return placed, ended

    return run


def test_a_sweep_that_is_stopped_keeps_a_result_that_is_soon_compared(
    reported: Callable[..., tuple[JobSpec, Ending]], judges: Judges, tmp_path: Path
) -> None:
    spec, ended = reported()
    judges.judge_job(spec, ended, tmp_path / "log", StopRequests())  # starts it
    ending = judges.judge_job(spec, ended, tmp_path / "log", Stopping())
    assert ending.how == "ended"
    assert isinstance(ending.events[-1], Report)
    assert ending.events[-1].verification.checks


def test_a_sweep_that_is_stopped_does_not_wait_for_a_long_comparison(
    reported: Callable[..., tuple[JobSpec, Ending]], judges: Judges, tmp_path: Path
) -> None:
    spec, ended = reported("time.sleep(600)")
    began = time.monotonic()
    ending = judges.judge_job(spec, ended, tmp_path / "log", Stopping())
    assert (ending.how, ending.reason) == ("interrupted", "the sweep was stopped")
    assert time.monotonic() - began < 60


@pytest.mark.long
def test_a_judge_that_is_stopped_blocks_nobody_however_much_it_is_told(
    reported: Callable[..., tuple[JobSpec, Ending]], judges: Judges, tmp_path: Path
) -> None:
    spec, ended = reported(deadline_s=2)
    judges.judge_job(spec, ended, tmp_path / "log", StopRequests())
    (judge,) = psutil.Process().children()
    judge.suspend()
    report = ended.events[-1]
    assert isinstance(report, Report)
    # More than a pipe holds.
    told = replace(ended, events=(*ended.events[:-1], report.model_copy(update={"saved": 1000 * report.saved})))
    assert len(report.saved[0].model_dump_json()) * 1000 > 1 << 16
    failure = judges.judge_job(spec, told, tmp_path / "log", StopRequests()).events[-1]
    assert isinstance(failure, Failure)
    assert failure.reason == "comparing its results with the reference took longer than 6 s"
    assert not judge.is_running()


@pytest.mark.long
def test_there_are_never_more_than_a_few_judges_and_none_at_the_end(made: Made, tmp_path: Path) -> None:
    with closing(Judges()) as judges:
        for number in range(MOST_JUDGES + 2):
            spec = made(name=f"w{number}")
            assert LocalLauncher(judges=judges)(spec, tmp_path / "log", lambda _: None).how == "ended"
        assert len(psutil.Process().children()) == MOST_JUDGES
    assert not psutil.Process().children()


def test_a_launcher_without_judges_ends_its_own(made: Made, tmp_path: Path) -> None:
    spec = made()
    ending = LocalLauncher()(spec, tmp_path / "log", lambda _: None)
    assert classify_ending(spec, ending).outcome == "measured"
    assert not psutil.Process().children()


@pytest.mark.parametrize("how", ["timeout", "garbled", "interrupted"])
def test_a_job_that_did_not_end_by_itself_is_not_judged(
    made: Made, judges: Judges, tmp_path: Path, how: EndKind
) -> None:
    ending = Ending(how, -9, (), 1)
    assert judges.judge_job(made(), ending, tmp_path / "log", StopRequests()) == ending
    assert not psutil.Process().children()


def test_the_judge_imports_no_framework(made: Made, judged: Judged, tmp_path: Path) -> None:
    names = '"torch", "tensorflow", "jax"'
    spec = made(f'open("{tmp_path}/seen", "w").write(repr([n for n in ({names}) if n in sys.modules]))')
    assert judged(spec).outcome == "measured"
    assert (tmp_path / "seen").read_text() == "[]"


def test_a_worker_is_given_its_data_and_neither_seed_nor_expected_results(
    made: Made, judges: Judges, tmp_path: Path
) -> None:
    spec = made(seed=12345)
    given = judges.provide_data(spec, tmp_path / "log", StopRequests())
    assert isinstance(given, JobSpec)
    assert (given.seed, given.expected) == (0, None)
    assert given.data is not None
    assert "12345" not in given.model_dump_json()
    again = judges.provide_data(spec.model_copy(update={"block": 2}), tmp_path / "log", StopRequests())
    assert isinstance(again, JobSpec)
    assert again.data == given.data
    judges.close()
    assert not Path(given.data.path).exists()


def test_a_job_that_measures_nothing_is_given_nothing(made: Made, judges: Judges, tmp_path: Path) -> None:
    spec = made().model_copy(update={"purpose": Export(path=str(tmp_path / "model.onnx"))})
    assert judges.provide_data(spec, tmp_path / "log", StopRequests()) is spec
    assert not psutil.Process().children()


def test_a_job_without_data_does_not_start(made: Made, judges: Judges, tmp_path: Path) -> None:
    spec = made()
    reference = Path(spec.source_dir) / "reference.py"
    reference.write_text(reference.read_text().replace("rng.standard_normal(shape)", "rng.no_such_draw(shape)"))
    code = load_workload_folder(Path(spec.source_dir)).code
    spec = spec.model_copy(update={"cell": spec.cell.model_copy(update={"code": code})})
    ending = LocalLauncher(judges=judges)(spec, tmp_path / "log", lambda _: None)
    found = classify_ending(spec, ending)
    assert found.outcome == "raised"
    assert "no_such_draw" in found.reason
    assert "reference.py:6" in found.reason


@pytest.mark.long
def test_a_judge_that_was_killed_is_replaced_and_what_it_judged_is_judged_again(
    made: Made, judges: Judges, tmp_path: Path
) -> None:
    spec, launcher = made(), LocalLauncher(judges=judges)
    for _ in range(2):
        assert classify_ending(spec, launcher(spec, tmp_path / "log", lambda _: None)).outcome == "measured"
        (judge,) = psutil.Process().children()
        judge.kill()
        judge.wait()
