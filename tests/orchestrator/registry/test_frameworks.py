"""Frameworks of installed distributions are listed, planned and measured like those of this project."""

import json
import re
import subprocess
from importlib import metadata
from importlib.metadata import EntryPoint
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from orchestrator.errors import UsageError
from orchestrator.registry import frameworks
from schemas.catalog import FRAMEWORKS
from tests.orchestrator.installation import Installation, install

STRANGER = {
    "stranger/__init__.py": """
        from schemas.catalog import Framework, Mode

        ENTRY = Framework(
            name="stranger", title="The Stranger", package="stranger", distributions=("stranger-dist",),
            requirement="stranger", module="stranger.worker", start_s=0.3,
            modes=(Mode(name="eager", summary="a framework of somebody else"),),
        )
    """,
    "stranger/worker.py": """
        from workers.frameworks import numpy

        class Framework(numpy.Framework):
            workloads = "stranger.workloads"
            distributions = ("typer",)
    """,
    "stranger/workloads/__init__.py": "",
    "stranger/workloads/rnn_cell.py": "from workers.workloads.rnn_cell.reference import backward, forward",
    "stranger_dist-1.5.dist-info/METADATA": "Metadata-Version: 2.1\nName: stranger-dist\nVersion: 1.5\n",
    "stranger_dist-1.5.dist-info/entry_points.txt": "[plumbline.frameworks]\nstranger = stranger:ENTRY\n",
}
QUICK = """
    [axes]
    frameworks = ["stranger", "numpy"]
    workloads = ["rnn_cell", "mlp"]

    [stop]
    blocks = 1

    [timing]
    samples = 10
    sample_ns = 5000000
    warmup_min_ns = 1000000
"""


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return install(tmp_path / "env", STRANGER)


def test_a_strangers_framework_is_listed_with_our_own(installation: Installation) -> None:
    listed = {framework["name"]: framework for framework in installation.says("list")["frameworks"]}
    assert listed.keys() == {"stranger", *(framework.name for framework in FRAMEWORKS)}
    assert listed["stranger"]["missing"] is None


@pytest.mark.long
def test_jobs_of_a_strangers_framework_run_and_are_compared(installation: Installation) -> None:
    (installation.folder / "quick.toml").write_text(dedent(QUICK))
    said = installation.says("sweep", "quick.toml")
    outcomes = {(cell["cell"]["framework"], cell["cell"]["workload"]): cell for cell in every_cell(said)}
    assert outcomes["stranger", "rnn_cell"]["outcome"] == "measured"
    assert outcomes["stranger", "mlp"]["outcome"] == "unsupported"
    assert outcomes["stranger", "mlp"]["reason"] == "the workload mlp has no implementation in stranger.workloads"
    for record in (installation.folder / "runs").glob("*/jobs/001-stranger-eager-rnn_cell-*.json"):
        versions = json.loads(record.read_text())["result"]["versions"]
        # The catalog entry names the first, and the worker's class the second.
        assert (versions["stranger-dist"], versions["typer"]) == ("1.5", metadata.version("typer"))


def test_what_a_stranger_adds_brings_no_framework_into_the_orchestrator(installation: Installation) -> None:
    program = (
        "import sys; from orchestrator.registry.frameworks import load_frameworks; "
        "print(*load_frameworks(), '|', *sys.modules)"
    )
    python = installation.folder / "bin" / "python"
    said = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout
    known, imported = (part.split() for part in said.split("|"))
    assert "stranger" in known
    assert not {"stranger.worker", "workers", "numpy"} & set(imported)


def test_a_distribution_that_cannot_be_loaded_is_named(installation: Installation) -> None:
    installation.write({"stranger/__init__.py": "import no_such_module"})
    done = installation.run("plan")
    assert done.returncode == 2
    assert "error: the distribution stranger-dist adds a framework that cannot be loaded: No module" in done.stderr


def every_cell(said: dict[str, Any]) -> list[Any]:
    return [cell for group in said["groups"] for cell in group["cells"] if not cell["cell"]["replica"]]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("schemas.workloads:WORKLOADS", "schemas.workloads:WORKLOADS is not a framework that names a module"),
        ("schemas.catalog:NO_SUCH_THING", "adds a framework that cannot be loaded"),
    ],
)
def test_what_is_no_catalog_entry_is_a_mistake(value: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        frameworks.merge_frameworks([EntryPoint("stranger", value, frameworks.FRAMEWORK_GROUP)])


def test_a_name_that_is_taken_is_a_mistake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "impostor.py").write_text(dedent(STRANGER["stranger/__init__.py"]).replace('"stranger"', '"torch"'))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match="adds a framework torch, but that name is taken"):
        frameworks.merge_frameworks([EntryPoint("impostor", "impostor:ENTRY", frameworks.FRAMEWORK_GROUP)])
