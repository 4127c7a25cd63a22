"""Reruns of single jobs in processes of their own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from orchestrator.records.store import Store
from schemas.job import Cell, JobSpec
from schemas.record import JobRecord


def test_a_rerun_whose_program_is_killed_leaves_neither_a_process_nor_a_folder(
    tmp_path: Path,
    make_run: Callable[..., Store],
    make_record: Callable[..., JobRecord],
    make_cell: Callable[..., Cell],
    make_spec: Callable[..., JobSpec],
    soon: Callable[[Callable[[], bool]], bool],
) -> None:
    cell = make_cell("synthetic:hang", workload="synthetic", parameters={"spin_ns": 1000, "hold_mib": 0})
    spec = make_spec(cell, cpus=(), variables={"CUDA_VISIBLE_DEVICES": "-1"})
    make_run("base", [make_record(spec=spec, outcome="timeout")])
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, "-m", "orchestrator", "show", "base", "001-synthetic", "--repeat"]
    with subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "TMPDIR": str(tmp_path / "temporary")}) as program:
        run = psutil.Process(program.pid)
        assert soon(lambda: any("workers" in part for each in run.children() for part in each.cmdline()))
        children = run.children()
        assert any((tmp_path / "temporary").iterdir())
        program.kill()
    assert soon(lambda: not any(child.is_running() for child in children))
    assert soon(lambda: not any((tmp_path / "temporary").iterdir()))
