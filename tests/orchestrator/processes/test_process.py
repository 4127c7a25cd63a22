"""A program that is no worker, run to its end, a signal or its deadline."""

import os
import signal
import sys
from pathlib import Path

import psutil

from orchestrator.processes.process import run_to_completion
from orchestrator.processes.signals import Interrupts


def run_program(folder: Path, program: str, **more: object) -> int | None:
    command = [sys.executable, "-I", "-S", "-c", program]
    return run_to_completion(command, {"VARIABLE": "set"}, folder / "log", **more)  # type: ignore[arg-type]


def test_a_program_that_is_no_worker_is_run_to_its_end_with_all_it_prints_in_the_log(tmp_path: Path) -> None:
    said = "import os, sys; print(os.environ['VARIABLE'], flush=True); print('no', file=sys.stderr); sys.exit({})"
    assert run_program(tmp_path, said.format(0)) == 0
    assert run_program(tmp_path, said.format(3)) == 3
    assert (tmp_path / "log").read_text() == "set\nno\nset\nno\n"


def test_what_it_prints_may_be_kept_apart_from_what_it_complains_of(tmp_path: Path) -> None:
    said = "import sys; print('answer'); print('no', file=sys.stderr)"
    run_program(tmp_path, said, output=tmp_path / "answer")
    assert [(tmp_path / name).read_text() for name in ("answer", "log")] == ["answer\n", "no\n"]


def test_it_reads_nothing_and_nothing_that_it_starts_outlives_it(tmp_path: Path) -> None:
    sleeper = f"subprocess.Popen([{sys.executable!r}, '-c', 'import time; time.sleep(60)'])"
    left = f"import subprocess, sys; sys.stdin.read(); {sleeper}"
    before = set(psutil.Process().children(recursive=True))
    assert run_program(tmp_path, left) == 0
    assert set(psutil.Process().children(recursive=True)) <= before


def test_it_is_ended_by_a_signal_and_at_its_deadline(tmp_path: Path) -> None:
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        assert run_program(tmp_path, "import time; time.sleep(60)", interrupts=interrupts) is None
    status = run_program(tmp_path, "import time; time.sleep(60)", deadline_s=0.2)
    assert status is not None
    assert status != 0
