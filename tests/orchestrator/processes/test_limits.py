"""Limits: a job that exceeds one ends alone, and its record names the limit."""

import re
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import psutil
import pytest

from orchestrator.execution import supervisor
from orchestrator.execution.supervisor import Ending
from orchestrator.machine.kernel_files import KernelFiles
from orchestrator.processes.cgroup import JobCgroup
from orchestrator.processes.limits import OOM_SCORE_ADJ, JobLimits, lower_limit
from orchestrator.processes.process import start_process
from schemas.event import Failure
from schemas.limits import Limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are set with the Linux kernel")

LAST = b'{"kind":"failure","outcome":"raised","reason":"all is said"}'
DOUBLES = Path(__file__).resolve().parents[2] / "doubles"


def run(folder: Path, double: str, message: bytes = b"", deadline_s: float = 60, **limits: object) -> Ending:
    command = [sys.executable, "-I", "-S", str(DOUBLES / f"{double}.py")]
    return supervisor.run(
        partial(start_process, command, {}),
        message,
        folder / "log",
        deadline_s=deadline_s,
        on_event=lambda _: None,
        limits=Limits.model_validate(limits),
    )


def test_a_leak_meets_the_limit_of_memory_and_can_say_so(tmp_path: Path) -> None:
    last = run(tmp_path, "leaks", memory="128MiB").events[-1]
    assert isinstance(last, Failure)
    assert last.outcome == "out-of-memory"


def test_without_a_limit_of_memory_the_same_is_no_leak(tmp_path: Path) -> None:
    assert run(tmp_path, "leaks").events[-1].kind == "hello"


def test_one_that_multiplies_is_ended_with_all_its_children(tmp_path: Path) -> None:
    ending = run(tmp_path, "multiplies", processes=20)
    assert ending.how == "limit"
    assert re.search("more than the (20|160 processes and threads) allowed", ending.reason)
    assert psutil.Process().children(recursive=True) == []


def test_a_log_that_is_too_long_ends_the_job_and_keeps_its_beginning(tmp_path: Path) -> None:
    ending = run(tmp_path, "flood", LAST, log="1MiB")
    assert (ending.how, ending.reason) == ("limit", "it printed more than the 1 MiB allowed")
    assert (tmp_path / "log").stat().st_size == 1 << 20


def test_a_log_that_somebody_has_deleted_is_not_too_long(tmp_path: Path) -> None:
    bounds = JobLimits(Limits(), tmp_path / "gone", JobCgroup(KernelFiles()))
    bounds.check_log()
    bounds.truncate_log()
    assert not (tmp_path / "gone").exists()


def test_open_files_are_limited_and_no_core_is_dumped(tmp_path: Path) -> None:
    last = run(tmp_path, "opens", files=100).events[-1]
    assert isinstance(last, Failure)
    count, rest = last.reason.split(" ", 1)
    assert 50 < int(count) < 100
    assert rest == "files, core 0 0"


@pytest.mark.long
def test_a_phase_has_a_deadline_of_its_own_and_one_that_was_stopped_is_told_from_a_slow_one(tmp_path: Path) -> None:
    # A stop counts for no deadline, until it has lasted as long as the whole job may.
    ending = run(tmp_path, "stopped", deadline_s=2, phases={"compile": 0.5})
    assert ending.how == "timeout"
    assert ending.reason == (
        "compile took longer than the 0.5 s allowed for it, because a signal had stopped it (SIGSTOP)"
    )


def test_the_kernel_ends_a_job_rather_than_what_else_runs_here(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        JobLimits(Limits(), tmp_path / "log", JobCgroup(KernelFiles())).apply_limits(process.pid)
        assert int(Path(f"/proc/{process.pid}/oom_score_adj").read_text()) == OOM_SCORE_ADJ
        process.kill()


@pytest.mark.parametrize(
    ("memory", "bounded", "held"), [(None, False, None), (1 << 30, False, "process"), (1 << 30, True, "job")]
)
def test_what_the_limit_of_memory_holds_for_is_known(
    tmp_path: Path, memory: int | None, bounded: bool, held: str | None
) -> None:
    assert JobLimits(Limits(memory=memory), tmp_path, JobCgroup(KernelFiles(), limits_memory=bounded)).memory == held


def test_a_limit_that_is_lower_already_stays() -> None:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        lower_limit(process.pid, resource.RLIMIT_NOFILE, 70)
        lower_limit(process.pid, resource.RLIMIT_NOFILE, 90)
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (70, 70)
        process.kill()
    lower_limit(process.pid, resource.RLIMIT_NOFILE, 10)
