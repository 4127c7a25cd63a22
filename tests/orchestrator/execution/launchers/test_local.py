"""The local launcher with real workers, most of them with NumPy only."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from site import getsitepackages

import psutil
import pytest

from orchestrator.environments.lookup import Environments
from orchestrator.execution.classify import classify_ending
from orchestrator.execution.launchers.local import LocalLauncher
from orchestrator.execution.launchers.template_pool import TemplatePool
from orchestrator.execution.launchers.worker_command import make_variables
from orchestrator.execution.supervisor import Ending
from schemas.catalog import INDUCTOR_CACHES as CACHES
from schemas.event import Hello, Report
from schemas.job import Cell, JobSpec
from schemas.record import Outcome
from tests.selection import mark_long

PARENT = Path(__file__).resolve().parents[3] / "doubles" / "parent.py"
QUICK = {"sample_ns": 10**6, "samples": 5, "warmup_min_ns": 10**6}
MLP = {"input": 3, "width": 4, "depth": 1, "output": 2}
SIZES = {"spin_ns": 1000, "hold_mib": 0}
# No library starts a thread when it is imported, so a template may fork.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

MakeCell = Callable[..., Cell]
MakeSpec = Callable[..., JobSpec]


@pytest.fixture
def quick_spec(make_cell: MakeCell, make_spec: MakeSpec) -> MakeSpec:
    """Make a short job of a mode of the synthetic framework."""

    def make(mode: str, **changes: object) -> JobSpec:
        cell = make_cell(f"synthetic:{mode}", workload="synthetic", parameters=SIZES)
        return make_spec(cell, timing=QUICK, cpus=(), **changes)

    return make


@pytest.mark.parametrize("start", mark_long(["fresh", "template"], quick=["template"]))
@pytest.mark.parametrize(
    ("mode", "outcome", "reason"),
    [
        ("spin", "measured", ""),
        ("wrong", "wrong", "is off by"),
        ("garbage", "wrong", "not finite"),
        ("raise", "raised", "ArithmeticError: the synthetic worker was told to raise"),
        ("crash", "killed", "SIGSEGV ended it during first call"),
        ("hang", "timeout", "during first call"),
        pytest.param("stuck", "timeout", "during first call", marks=pytest.mark.long),
        ("greedy", "out-of-memory", "under the limit of 1 GiB"),
        ("flood", "measured", ""),
    ],
)
def test_each_fault_of_a_worker_is_found_out(
    tmp_path: Path, quick_spec: MakeSpec, mode: str, outcome: Outcome, reason: str, start: str
) -> None:
    deadline_s = 3 if mode in ("hang", "stuck") else 60
    spec = quick_spec(mode, deadline_s=deadline_s, limits={"memory": "1GiB"}, variables=ONE_THREAD, start=start)
    with closing(TemplatePool(Environments())) as pool:
        pool.open_block([spec])
        ending = LocalLauncher(templates=pool)(spec, tmp_path / "log", lambda _: None)
        # Whatever became of the job, the next one is forked from the same template.
        assert start == "fresh" or pool.find_template(spec).process.poll() is None
    judgement = classify_ending(spec, ending)
    assert (judgement.outcome, ending.obstacle) == (outcome, "")
    assert reason in judgement.reason


def test_noise_on_descriptor_1_does_not_reach_the_report(tmp_path: Path, quick_spec: MakeSpec) -> None:
    ending = LocalLauncher()(quick_spec("chatter"), tmp_path / "log", lambda _: None)
    assert isinstance(ending.events[-1], Report)
    assert '{"kind":"report"}' in (tmp_path / "log").read_text()


def test_each_job_has_a_process_of_its_own(tmp_path: Path, quick_spec: MakeSpec) -> None:
    pids = [
        event.pid
        for number in range(2)
        for event in LocalLauncher()(quick_spec("raise"), tmp_path / f"log{number}", lambda _: None).events
        if isinstance(event, Hello)
    ]
    assert len(set(pids)) == 2


def read_cache_folder(spec: JobSpec, launcher: LocalLauncher, log: Path) -> Path:
    """Run a job, and return the folder of its files as its worker read it back."""
    last = launcher(spec, log, lambda _: None).events[-1]
    assert isinstance(last, Report)
    (setting,) = (setting for setting in last.settings if setting.name == "KEPT_IN")
    assert setting.honoured
    return Path(setting.got)


@pytest.mark.long
def test_a_cold_job_has_a_folder_to_itself_that_is_gone_after_it(tmp_path: Path, quick_spec: MakeSpec) -> None:
    spec = quick_spec("spin", variables={"KEPT_IN": "{cache}"})
    folders = [read_cache_folder(spec, LocalLauncher(), tmp_path / "log") for _ in range(2)]
    assert folders[0] != folders[1]
    assert not any(folder.exists() for folder in folders)


@pytest.mark.long
def test_warm_jobs_of_a_cell_share_a_folder_and_those_of_its_clone_another(
    tmp_path: Path, quick_spec: MakeSpec
) -> None:
    spec, caches = quick_spec("spin", variables={"KEPT_IN": "{cache}"}), tmp_path / "caches"
    caches.mkdir()
    warm, clone = (
        spec.model_copy(update={"cell": spec.cell.model_copy(update={"cache": "warm", "replica": replica})})
        for replica in (0, 1)
    )
    launcher = LocalLauncher(caches=caches)
    first, second, other = (read_cache_folder(each, launcher, tmp_path / "log") for each in (warm, warm, clone))
    assert first == second != other
    assert first.is_dir()


@pytest.mark.long
def test_temporary_files_of_a_job_go_with_it(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_spec("tensorflow") is None:
        pytest.skip("tensorflow, which leaves such files, is not installed")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    cell = Cell(framework="tensorflow", mode="function", workload="rnn_cell", parameters={"hidden": 3, "input": 2})
    ending = LocalLauncher()(make_spec(cell, timing=QUICK, cpus=()), tmp_path / "log", lambda _: None)
    assert isinstance(ending.events[-1], Report)
    assert list(temporary.iterdir()) == []


@pytest.mark.measures
@pytest.mark.long
def test_a_warm_compiler_finds_what_a_cold_one_has_made(make_spec: MakeSpec, tmp_path: Path) -> None:
    if find_spec("torch") is None or shutil.which("g++") is None:
        pytest.skip("torch or g++ is not installed")
    cell = Cell(framework="torch", mode="compile", workload="mlp", task="forward", cache="warm", parameters=MLP)
    spec = make_spec(cell, timing=QUICK, cpus=(), variables=CACHES["warm"])
    launcher = LocalLauncher(caches=tmp_path)
    cold_ns, warm_ns = (first_call_ns(launcher(spec, tmp_path / "log", lambda _: None)) for _ in range(2))
    assert warm_ns < cold_ns / 2


def first_call_ns(ending: Ending) -> int:
    last = ending.events[-1]
    assert isinstance(last, Report)
    return next(cost.wall_ns for cost in last.phases if cost.name == "first_call")


@pytest.mark.parametrize(("start", "number"), [("fresh", 1), ("template", 2)])
def test_a_worker_and_its_template_die_with_their_parent(tmp_path: Path, start: str, number: int) -> None:
    kept = os.environ | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, str(PARENT), str(tmp_path), start]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=kept)
    with parent:
        assert parent.stdout is not None
        workers = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert [worker.is_running() for worker in workers] == [True] * number
        parent.kill()
    for _ in range(100):
        left = [each for each in workers if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
        if not left:
            return
        time.sleep(0.05)
    for each in left:
        each.kill()
    pytest.fail("a process outlived its parent")


def test_a_worker_inherits_what_the_user_set_but_nothing_that_changes_python(make_spec: MakeSpec) -> None:
    got = make_variables({"HOME": "/home/x", "PYTHONPATH": "/evil", "PYTHONOPTIMIZE": "2"}, make_spec())
    assert got["HOME"] == "/home/x"
    assert {"PYTHONPATH", "PYTHONOPTIMIZE"}.isdisjoint(got)


def test_what_the_job_asks_for_stands_above_what_the_user_set(make_spec: MakeSpec) -> None:
    spec = make_spec(variables={"OMP_NUM_THREADS": "1"})
    assert make_variables({"OMP_NUM_THREADS": "8"}, spec)["OMP_NUM_THREADS"] == "1"


def test_a_job_decides_on_its_hash_seed_and_on_the_size_of_its_environment(make_spec: MakeSpec) -> None:
    one, other = (make_variables({}, make_spec(hash_seed=7, padding_bytes=size)) for size in (100, 300))
    assert one["PYTHONHASHSEED"] == "7"
    assert sum(map(len, other.values())) - sum(map(len, one.values())) == 200


def test_a_job_runs_in_the_interpreter_of_its_environment(
    tmp_path: Path, quick_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "venv" / "bin" / "python"
    venv.create(tmp_path / "venv", symlinks=True)
    (packages,) = tmp_path.glob("venv/lib/python3*/site-packages")
    (packages / "ours.pth").write_text("\n".join(getsitepackages()))
    spec = quick_spec("raise")
    spec = spec.model_copy(update={"cell": spec.cell.model_copy(update={"environment": str(link)})})
    environments = Environments()
    environments.inspect(str(link))
    hello = LocalLauncher(environments=environments)(spec, tmp_path / "log", lambda _: None).events[0]
    assert isinstance(hello, Hello)
    assert hello.interpreter == str(link)
