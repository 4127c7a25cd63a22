"""Templates and the jobs that they fork, with real workers."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from orchestrator.environments.lookup import Environments
from orchestrator.execution.classify import classify_ending
from orchestrator.execution.launchers import template, template_pool
from orchestrator.execution.launchers.local import LocalLauncher
from orchestrator.execution.launchers.template import NoTemplate, Template
from orchestrator.execution.launchers.template_pool import (
    MOST_TEMPLATES,
    TEMPLATE_BYTES,
    TemplatePool,
    choose_import_cores,
)
from orchestrator.execution.supervisor import Ending
from schemas.event import Event, Hello, Phase, Report
from schemas.job import Cell, JobSpec
from tests.orchestrator.conftest import a_cell, a_spec
from tests.orchestrator.execution.launchers.test_local import ONE_THREAD, QUICK, SIZES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="jobs are forked with the Linux kernel's help")

DOUBLES = Path(__file__).resolve().parents[3] / "doubles"

Launch = Callable[[JobSpec], Ending]


@pytest.fixture
def pool() -> Iterator[TemplatePool]:
    made = TemplatePool(Environments())
    yield made
    made.close()
    assert list_templates() == []


@pytest.fixture
def launch(pool: TemplatePool, tmp_path: Path) -> Launch:
    """Run a job where the pool's templates are."""
    return lambda spec: LocalLauncher(templates=pool)(spec, tmp_path / "log", lambda _: None)


def make_job(
    mode: str = "spin", cell: Cell | None = None, variables: Mapping[str, str] | None = None, **changes: object
) -> JobSpec:
    """Make a job that is to be forked, with libraries that start no threads when they are imported."""
    synthetic = a_cell(f"synthetic:{mode}", workload="synthetic", parameters=SIZES)
    said = ONE_THREAD | dict(variables or {})
    plain = a_spec(cell or synthetic, start="template", timing=QUICK, cpus=(), variables=said)
    return JobSpec.model_validate(plain.model_dump() | changes)


def list_templates() -> list[psutil.Process]:
    """The templates of this process."""
    return [each for each in psutil.Process().children() if "start.py" in " ".join(each.cmdline())]


def report_of(ending: Ending) -> Report:
    last = ending.events[-1]
    assert isinstance(last, Report), last
    return last


def pid_of(ending: Ending) -> int:
    first = ending.events[0]
    assert isinstance(first, Hello)
    return first.pid


def test_jobs_of_a_block_are_processes_of_their_own_from_one_template(pool: TemplatePool, launch: Launch) -> None:
    jobs = [make_job("spin"), make_job("chatter")]
    pool.open_block(jobs)
    assert len(list_templates()) == 1
    endings = [launch(job) for job in jobs]
    assert all(report_of(ending).forked and not ending.obstacle for ending in endings)
    assert len({pid_of(ending) for ending in endings} | {list_templates()[0].pid}) == 3
    assert [ending.status for ending in endings] == [0, 0]


def test_a_job_without_a_template_starts_fresh_and_says_why(launch: Launch) -> None:
    ending = launch(make_job())
    assert not report_of(ending).forked
    assert ending.obstacle == "no template was started for it; at most 8 stand beside each other"


def test_a_job_that_is_to_start_fresh_does_so(pool: TemplatePool, launch: Launch) -> None:
    job = make_job().model_copy(update={"start": "fresh"})
    pool.open_block([job])
    assert list_templates() == []
    ending = launch(job)
    assert (report_of(ending).forked, ending.obstacle) == (False, "")


def test_the_clone_and_other_variables_have_templates_of_their_own(pool: TemplatePool) -> None:
    job = make_job()
    clone = job.model_copy(update={"cell": job.cell.model_copy(update={"replica": 1})})
    other = make_job(variables={"OMP_NUM_THREADS": "2"})
    pool.open_block([job, clone, other, make_job("chatter")])
    assert len({pool.find_template(each).process.pid for each in (job, clone, other)}) == 3
    assert pool.find_template(make_job("chatter")) is pool.find_template(job)


def test_each_block_has_new_templates_and_the_old_ones_end(pool: TemplatePool) -> None:
    job = make_job()
    pool.open_block([job])
    before = pool.find_template(job).process.pid
    pool.open_block([job])
    assert pool.find_template(job).process.pid != before
    assert [each.pid for each in list_templates()] == [pool.find_template(job).process.pid]


def test_only_so_many_templates_stand_beside_each_other(pool: TemplatePool) -> None:
    jobs = [make_job(variables={"KIND": str(number)}) for number in range(MOST_TEMPLATES + 1)]
    pool.open_block(jobs)
    assert len(list_templates()) == MOST_TEMPLATES
    with pytest.raises(NoTemplate, match="no template was started for it"):
        [pool.find_template(job) for job in jobs]


def test_a_forked_job_has_its_own_variables_folder_and_log(pool: TemplatePool, launch: Launch, tmp_path: Path) -> None:
    job = make_job("chatter", variables={"KEPT_IN": "{cache}", "SHARED": "yes"})
    pool.open_block([job])
    folders = []
    for _ in range(2):
        settings = {each.name: each for each in report_of(launch(job)).settings}
        assert settings["KEPT_IN"].honoured
        assert settings["SHARED"].got == "yes"
        folders.append(settings["KEPT_IN"].got)
    assert folders[0] != folders[1]
    assert not any(Path(folder).exists() for folder in folders)
    assert '{"kind":"report"}' in (tmp_path / "log").read_text()


def test_a_template_that_was_killed_costs_no_job(pool: TemplatePool, launch: Launch) -> None:
    job = make_job()
    pool.open_block([job])
    os.kill(pool.find_template(job).process.pid, signal.SIGKILL)
    pool.find_template(job).process.wait(10)
    ending = launch(job)
    assert not report_of(ending).forked
    assert ending.obstacle == "its template has ended"


def test_a_job_survives_the_death_of_its_template(pool: TemplatePool, tmp_path: Path) -> None:
    job = make_job()
    pool.open_block([job])
    killed = []

    def kill_template(event: Event) -> None:
        if isinstance(event, Phase) and event.name == "first_call":
            killed.append(pool.find_template(job).process.pid)
            os.kill(killed[0], signal.SIGKILL)

    ending = LocalLauncher(templates=pool)(job, tmp_path / "log", kill_template)
    assert killed
    assert report_of(ending).forked


@pytest.mark.long
def test_a_stopped_template_is_waited_for_once_and_ended(
    pool: TemplatePool, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template, "FORK_DEADLINE_S", 0.2)
    job = make_job()
    pool.open_block([job])
    stopped = pool.find_template(job).process
    os.kill(stopped.pid, signal.SIGSTOP)
    ending = launch(job)
    assert not report_of(ending).forked
    assert ending.obstacle == "its template did not answer in time"
    assert stopped.returncode == -signal.SIGKILL
    monkeypatch.setattr(template, "FORK_DEADLINE_S", 300.0)
    assert launch(job).obstacle == "its template has ended"


@pytest.mark.long
def test_a_job_runs_on_while_its_template_hangs_and_the_next_one_starts_fresh(
    pool: TemplatePool, launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template, "FORK_DEADLINE_S", 0.2)
    job, stopped = make_job(), list[int]()
    pool.open_block([job])

    def stop_template(event: Event) -> None:
        if isinstance(event, Phase) and event.name == "first_call":
            stopped.append(pool.find_template(job).process.pid)
            os.kill(stopped[0], signal.SIGSTOP)

    ending = LocalLauncher(templates=pool)(job, tmp_path / "log", stop_template)
    assert stopped
    assert report_of(ending).forked
    later = launch(job)
    assert not report_of(later).forked
    assert later.obstacle == "its template did not answer in time"
    assert not psutil.pid_exists(stopped[0])


def test_a_framework_that_cannot_be_imported_fails_in_the_job_as_ever(pool: TemplatePool, launch: Launch) -> None:
    job = make_job(module="nowhere.to.be.found")
    pool.open_block([job])
    ending = launch(job)
    assert ending.obstacle == "importing synthetic failed: ModuleNotFoundError"
    assert "nowhere" in classify_ending(job, ending).reason


def test_only_what_has_room_in_memory_stands_beside_each_other(
    pool: TemplatePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    available = psutil.virtual_memory()._replace(available=5 * TEMPLATE_BYTES // 2)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: available)
    pool.open_block([make_job(variables={"KIND": str(number)}) for number in range(3)])
    assert len(list_templates()) == 2


def test_a_template_that_cannot_be_started_costs_no_job(
    pool: TemplatePool, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object, **named: object) -> Template:
        raise BlockingIOError

    monkeypatch.setattr(template_pool, "start_template", refuse)
    job = make_job()
    pool.open_block([job])
    assert (report_of(launch(job)).forked, list_templates()) == (False, [])


def test_threads_of_a_library_bar_only_the_jobs_that_have_them(pool: TemplatePool) -> None:
    # NumPy's library starts its threads when it is imported, if it is to have any beside the first.
    one, two = (make_job(variables={"OPENBLAS_NUM_THREADS": str(count), "OMP_NUM_THREADS": "2"}) for count in (1, 2))
    pool.open_block([one, two])
    assert pool.find_template(one).await_ready().obstacle == ""


several_cores = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) == 1, reason="on one core NumPy's library starts no thread"
)


def make_threaded_job(mode: str = "spin") -> JobSpec:
    """Make a job on all cores, which NumPy's library counts before it starts its threads."""
    return make_job(mode, variables={"OPENBLAS_NUM_THREADS": "2"}, cpus=tuple(sorted(os.sched_getaffinity(0))))


@pytest.fixture
def parked(pool: TemplatePool) -> Callable[..., list[psutil.Process]]:
    """Open a second block of jobs that must not be forked; return the processes that wait for them."""

    def of(*jobs: JobSpec) -> list[psutil.Process]:
        pool.open_block(jobs)
        assert len(list_templates()) == 1
        pool.open_block(jobs)
        return list_templates()

    return of


@several_cores
def test_a_framework_that_starts_threads_is_never_forked(pool: TemplatePool) -> None:
    job = make_threaded_job()
    pool.open_block([job])
    with pytest.raises(NoTemplate, match=r"^importing synthetic starts \d+ threads?$"):
        pool.find_template(job).fork_job({}, sys.stderr.buffer)


@pytest.mark.long
@several_cores
def test_its_later_jobs_are_processes_that_wait_until_their_turn_comes(
    parked: Callable[..., list[psutil.Process]], launch: Launch
) -> None:
    jobs = [make_threaded_job(mode) for mode in ("spin", "compiled")]
    waiting = parked(*jobs)
    endings = [launch(job) for job in jobs]
    assert {pid_of(ending) for ending in endings} == {each.pid for each in waiting}
    assert [ending.obstacle for ending in endings] == ["", ""]
    for job, ending in zip(jobs, endings, strict=True):
        assert classify_ending(job, ending).outcome == "measured"
        assert [each for each in report_of(ending).settings if not each.honoured] == []
    assert list_templates() == []
    assert launch(jobs[0]).obstacle.startswith("importing synthetic starts")  # a second try has none left


@several_cores
def test_processes_that_nobody_asked_for_end_with_their_block(
    parked: Callable[..., list[psutil.Process]], pool: TemplatePool
) -> None:
    (waiting,) = parked(make_threaded_job())
    pool.close()
    assert not waiting.is_running()


@pytest.mark.long
@several_cores
def test_a_waiting_process_that_was_killed_costs_no_job(
    parked: Callable[..., list[psutil.Process]], launch: Launch
) -> None:
    job = make_threaded_job()
    (waiting,) = parked(job)
    waiting.kill()
    ending = launch(job)
    assert pid_of(ending) != waiting.pid
    assert ending.obstacle == "its template has ended"
    assert classify_ending(job, ending).outcome == "measured"


@pytest.mark.parametrize("framework", ["onnxruntime", "openvino"])
def test_a_runtime_does_not_report_to_its_maker_from_a_thread(
    pool: TemplatePool, monkeypatch: pytest.MonkeyPatch, framework: str
) -> None:
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    for name in ("CI", "GITHUB_ACTIONS", "TF_BUILD"):  # there they report nothing anyway
        monkeypatch.delenv(name, raising=False)
    job = make_job(cell=a_cell(f"{framework}:default"))
    pool.open_block([job])
    assert pool.find_template(job).await_ready().obstacle == ""


@pytest.mark.long
@pytest.mark.parametrize("framework", ["numpy", "torch", "tensorflow", "jax"])
def test_a_forked_job_of_each_framework_is_measured_as_a_fresh_one(
    pool: TemplatePool, launch: Launch, framework: str
) -> None:
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    mode = {"tensorflow": "function", "jax": "jit"}.get(framework, "eager")
    cell = Cell(framework=framework, mode=mode, workload="rnn_cell", parameters={"hidden": 3, "input": 2})
    forked = make_job(cell=cell)
    fresh = forked.model_copy(update={"start": "fresh"})
    pool.open_block([forked])
    one, other = report_of(launch(forked)), report_of(launch(fresh))
    assert (one.forked, other.forked) == (True, False)
    assert one.settings == other.settings
    # Its memory is no user's, and so it is not measured.
    assert [cost.name for cost in one.phases] == [cost.name for cost in other.phases if cost.name != "memory"]
    assert one.memory is None
    assert other.memory is not None
    assert [{cost.memory is None for cost in found.phases if cost.name != "ledger"} for found in (one, other)] == [
        {True},
        {False},
    ]
    results = [[each for each in found.verification.checks if "first call" in each.inputs] for found in (one, other)]
    assert results[0] == results[1] != []
    assert one.inputs_sha256 == other.inputs_sha256


def test_templates_that_hang_share_one_deadline() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, ours, subprocess.Popen(["true"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        # Its time began with its start, not when somebody came to wait for it.
        late = Template(process, ours, deadline_s=3600, started_s=time.monotonic() - 3600)
        with pytest.raises(NoTemplate, match="did not answer in time"):
            late.await_ready()


@pytest.mark.parametrize("is_parked", [False, True])
def test_a_template_that_hangs_while_it_imports_is_ended_when_its_job_asks_for_it(*, is_parked: bool) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, ours, subprocess.Popen(["sleep", "600"], start_new_session=True) as process:
        hanging = Template(process, ours, deadline_s=0.1, is_parked=is_parked)
        with pytest.raises(NoTemplate, match="did not answer in time"):
            hanging.fork_job({}, sys.stderr.buffer)
        assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("jobs", "busy_s", "cores"),
    [
        ((1,), {0: 0.0, 1: 0.0}, (0,)),
        ((1,), {0: 5.0, 1: 0.0}, (1,)),
        ((1,), {0: 5.0, 1: 2.5}, (1,)),
        ((0, 1), {0: 9.0, 1: 0.0}, (0, 1)),
        ((0, 1), {0: 9.0, 1: 0.0, 2: 1.0, 3: 2.0}, (1, 2)),
        ((), {0: 0.0, 1: 0.0}, ()),
    ],
)
def test_a_template_imports_on_as_many_cores_as_its_jobs_have_and_on_the_least_busy(
    jobs: tuple[int, ...], busy_s: Mapping[int, float], cores: tuple[int, ...]
) -> None:
    assert choose_import_cores(jobs, busy_s) == cores


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one core alone")
def test_the_longest_import_has_a_core_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    began: dict[str, tuple[int, ...]] = {}

    def note(python: Path | None, spec: JobSpec, cores: tuple[int, ...], **named: object) -> Template:
        began[f"{spec.cell.framework} {spec.cell.replica}"] = cores
        raise BlockingIOError

    monkeypatch.setattr(template_pool, "start_template", note)
    cells = [a_cell("torch:eager"), a_cell("torch:eager", replica=1), a_cell("tensorflow:eager")]
    pool = TemplatePool(Environments(), find_spare_cores=lambda: (1,))
    pool.open_block([make_job(cell=cell, cpus=(0,)) for cell in cells])
    assert [*began] == ["tensorflow 0", "torch 0", "torch 1"]
    assert began["torch 0"] == began["torch 1"] != began["tensorflow 0"]
