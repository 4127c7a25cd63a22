"""Reruns of single jobs in processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.execution.rerun import place_job
from orchestrator.planning.plan import Plan
from orchestrator.records.store import Store
from schemas.record import JobRecord
from tests.orchestrator.quick import PROGRAM

ROOT = Path(__file__).resolve().parents[3]
Soon = Callable[[Callable[[], bool]], bool]


def is_worker_running(orchestrator: int) -> bool:
    commands = [child.cmdline() for child in psutil.Process(orchestrator).children()]
    # A judge is started from the same file.
    return any(str(ROOT / "workers" / "start.py") == command[-1] for command in commands if command)


@pytest.mark.parametrize(
    ("had", "shared", "held", "placed"),
    [
        ((), (), (3,), ((), ())),
        ((0,), (), (3,), ((3,), ())),
        ((0, 1), (), (3, 2), ((2, 3), ())),
        ((0,), (0, 1, 2), (5, 3, 4), ((5,), (3, 4, 5))),
        ((), (0, 1), (1, 0), ((), (0, 1))),
    ],
)
def test_a_job_has_as_many_cores_again_and_all_of_them_for_clients(
    make_record: Callable[..., JobRecord],
    had: tuple[int, ...],
    shared: tuple[int, ...],
    held: tuple[int, ...],
    placed: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    spec = make_record().spec.model_copy(update={"cpus": had, "shared_cpus": shared, "start": "template"})
    found = place_job(spec, held)
    assert (found.cpus, found.shared_cpus, found.start) == (*placed, "fresh")


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="the watchdog finds what is left with the Linux kernel's help")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_rerun_leaves_no_temporary_folder_and_nothing_running(
    tmp_path: Path,
    make_plan: Callable[..., Plan],
    make_record: Callable[..., JobRecord],
    make_run: Callable[..., Store],
    soon: Soon,
    number: signal.Signals,
) -> None:
    plan = make_plan("synthetic:hang", axes={"workloads": ("synthetic",)})
    spec = plan.build_job(plan.cells[0], 1, 0)
    make_run("mine", [make_record(spec.cell, outcome="timeout", spec=spec)], sweep=plan.spec)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [*PROGRAM, "show", "mine", "001", "--repeat"]
    variables = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        try:
            assert soon(lambda: is_worker_running(program.pid))
            assert any(temporary.glob("*/*/jobs/*.stderr.log"))
            family = psutil.Process(program.pid).children(recursive=True)
            program.send_signal(number)
            _, err = program.communicate(timeout=60)
        finally:
            program.kill()
    assert program.returncode == (-number if number == signal.SIGKILL else ExitCode.INTERRUPTED)
    assert b"Traceback" not in err
    assert soon(lambda: list(temporary.iterdir()) == [])
    assert psutil.wait_procs(family, timeout=10)[1] == []
