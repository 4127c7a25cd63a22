"""Real workers, with NumPy only."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from orchestrator.judge import judge
from orchestrator.launchers.local import SOURCE, Local, variables
from schemas.event import Hello, Report
from schemas.job import Cell, JobSpec
from schemas.record import Outcome

PARENT = Path(__file__).resolve().parents[2] / "doubles" / "parent.py"
QUICK = {"sample_ns": 10**6, "samples": 5, "warmup_min_ns": 10**6}
SIZES = {"spin_ns": 1000, "hold_mib": 0}

MakeCell = Callable[..., Cell]
MakeSpec = Callable[..., JobSpec]


@pytest.fixture
def quick_spec(make_cell: MakeCell, make_spec: MakeSpec) -> MakeSpec:
    """A short job of a mode of the synthetic framework."""

    def make(mode: str, **changes: object) -> JobSpec:
        cell = make_cell(f"synthetic:{mode}", workload="synthetic", parameters=SIZES)
        return make_spec(cell, timing=QUICK, cpus=(), **changes)

    return make


@pytest.mark.parametrize(
    ("mode", "outcome", "reason"),
    [
        ("spin", "measured", ""),
        ("wrong", "wrong", "is off by"),
        ("garbage", "wrong", "not finite"),
        ("raise", "raised", "ArithmeticError: the synthetic worker was told to raise"),
        ("crash", "killed", "SIGSEGV ended it during first call"),
        ("hang", "timeout", "during first call"),
        ("stuck", "timeout", "during first call"),
        ("greedy", "out-of-memory", "under the limit of 1 GiB"),
        ("flood", "measured", ""),
    ],
)
def test_each_fault_of_a_worker_is_found_out(
    tmp_path: Path, quick_spec: MakeSpec, mode: str, outcome: Outcome, reason: str
) -> None:
    spec = quick_spec(mode, deadline_s=3 if mode in ("hang", "stuck") else 60, limits={"memory": "1GiB"})
    judgement = judge(spec, Local()(spec, tmp_path / "log", lambda _: None))
    assert judgement.outcome == outcome
    assert reason in judgement.reason


def test_noise_on_descriptor_1_does_not_reach_the_report(tmp_path: Path, quick_spec: MakeSpec) -> None:
    ending = Local()(quick_spec("chatter"), tmp_path / "log", lambda _: None)
    assert isinstance(ending.events[-1], Report)
    assert '{"kind":"report"}' in (tmp_path / "log").read_text()


def test_each_job_has_a_process_of_its_own(tmp_path: Path, quick_spec: MakeSpec) -> None:
    pids = [
        event.pid
        for number in range(2)
        for event in Local()(quick_spec("raise"), tmp_path / f"log{number}", lambda _: None).events
        if isinstance(event, Hello)
    ]
    assert len(set(pids)) == 2


def test_a_worker_dies_with_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, str(PARENT), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        assert worker.is_running()
        parent.kill()
    for _ in range(100):
        if not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    worker.kill()
    pytest.fail("the worker outlived its parent")


def test_a_worker_inherits_what_the_user_set_but_nothing_that_changes_python(make_spec: MakeSpec) -> None:
    got = variables({"HOME": "/home/x", "PYTHONPATH": "/evil", "PYTHONOPTIMIZE": "2"}, make_spec())
    assert got["HOME"] == "/home/x"
    assert got["PYTHONPATH"] == str(SOURCE)
    assert "PYTHONOPTIMIZE" not in got


def test_what_the_job_asks_for_stands_above_what_the_user_set(make_spec: MakeSpec) -> None:
    spec = make_spec(variables={"OMP_NUM_THREADS": "1"})
    assert variables({"OMP_NUM_THREADS": "8"}, spec)["OMP_NUM_THREADS"] == "1"


def test_a_job_decides_on_its_hash_seed_and_on_the_size_of_its_environment(make_spec: MakeSpec) -> None:
    one, other = (variables({}, make_spec(hash_seed=7, padding_bytes=size)) for size in (100, 300))
    assert one["PYTHONHASHSEED"] == "7"
    assert sum(map(len, other.values())) - sum(map(len, one.values())) == 200
