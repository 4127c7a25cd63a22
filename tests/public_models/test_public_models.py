"""Models of public libraries are measured as they are, and found right. Those that are not installed are skipped."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.records.store import read_recent
from schemas.record import JobRecord
from tests.public_models.table import FOLDER, count_lines, get_kind, list_missing, list_models, print_report

SWEEP = """
[[models]]
source = "{name}.py"
folder = "{folder}"
[axes]
frameworks = {modes}
tasks = ["forward", "backward"]
environment = ["current"]
[stop]
blocks = 1
[timing]
samples = 10
warmup_min_ns = 1000000
"""


# The modes that a model is measured in, by what its file is written for.
MODES = {
    "torch": ("torch:eager", "torch:trace"),
    "keras": ("tensorflow:eager", "tensorflow:function"),
    "jax": ("jax:eager", "jax:jit"),
}


SMALL = ("lstm", "multihead_attention")


def measure(name: str, folder: Path) -> list[JobRecord]:
    """Measure a model by the command line, and return its records."""
    if missing := list_missing(name):
        pytest.skip(f"{', '.join(missing)} not installed")
    folder.joinpath("sweep.toml").write_text(
        SWEEP.format(name=name, folder=FOLDER, modes=json.dumps(MODES[get_kind(name)]))
    )
    command = [sys.executable, "-m", "orchestrator", "sweep", "sweep.toml", "--no-report", "--runs", "runs"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    records = list(read_recent(folder / "runs", 20))
    assert records, done.stderr
    return records


def mark_models() -> list[object]:
    """Return the names of all models; those that take no package beside the frameworks are run with the long tests."""
    marks = {name: pytest.mark.long if name in SMALL else pytest.mark.public for name in list_models()}
    return [pytest.param(name, marks=mark) for name, mark in marks.items()]


@pytest.mark.parametrize("name", mark_models())
def test_a_model_is_measured_as_it_is_with_its_gradients_verified(name: str, tmp_path: Path) -> None:
    records = measure(name, tmp_path)
    eager = [record for record in records if record.spec.cell.mode == "eager"]
    assert {record.spec.cell.task for record in eager} == {"forward", "backward"}
    for record in eager:
        assert record.report is not None, record.reason  # noise may bar a time, but nothing may be wrong
        assert record.report.verification.reason == ""
    for record in records:
        assert record.outcome != "raised", record.reason


def test_each_model_takes_a_few_lines() -> None:
    assert max(map(count_lines, list_models())) <= 14


def test_the_table_has_times_ratios_and_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    def cell(task: str, mode: str, time_ns: float | None, reason: str = "") -> dict[str, object]:
        outcome = "unsupported" if reason else "measured"
        return {"task": task, "mode": mode, "outcome": outcome, "reason": reason, "time_ns": time_ns}

    cells = [
        cell("forward", "jax:jit", 500_000.0),
        cell("forward", "jax:eager", 2_000_000.0),
        cell("backward", "jax:eager", None, "too large"),
        cell("backward", "jax:jit", 1.0),
    ]
    print_report([{"name": "net", "kind": "jax", "lines": 3, "took_s": 90.0, "cells": cells}])
    rows = capsys.readouterr().out.splitlines()
    assert rows[2] == "| `net` | 3 | 2.00 ms | 0.25 | unsupported | measured | not measured | not measured | 1.5 |"
    assert rows[-1] == "- `net` jax:eager backward: unsupported: too large"
