"""Models of public libraries are measured as they are, and found right. Those that are not installed are skipped."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from orchestrator.records.store import read_recent
from schemas.record import JobRecord
from tests.public_models.table import FOLDER, count_lines, list_models

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


# The modes that a model is measured in, by a package that its file imports.
MODES = {
    "torch": ("torch:eager", "torch:trace"),
    "keras": ("tensorflow:eager", "tensorflow:function"),
    "jax": ("jax:eager", "jax:jit"),
}


def list_packages(name: str) -> Iterator[str]:
    """Yield the packages that a model's file imports."""
    for node in ast.parse(FOLDER.joinpath(f"{name}.py").read_text()).body:
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def choose_modes(name: str) -> str:
    """Return the modes that a model is measured in, as a list of TOML."""
    framework = next(package for package in list_packages(name) if package in MODES)
    return json.dumps(MODES[framework])


def measure(name: str, folder: Path) -> list[JobRecord]:
    """Measure a model by the command line, and return its records."""
    missing = [package for package in list_packages(name) if find_spec(package) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")
    folder.joinpath("sweep.toml").write_text(SWEEP.format(name=name, folder=FOLDER, modes=choose_modes(name)))
    command = [sys.executable, "-m", "orchestrator", "sweep", "sweep.toml", "--no-report", "--runs", "runs"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    records = list(read_recent(folder / "runs", 20))
    assert records, done.stderr
    return records


@pytest.mark.long
@pytest.mark.parametrize("name", list_models())
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
