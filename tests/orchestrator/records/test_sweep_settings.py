"""A run's folder has a sweep file that repeats it."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.planning.sweep_file import load_sweep_file, validate_sweep
from orchestrator.records.sweep_settings import format_sweep_file
from schemas.record import Manifest
from schemas.sweep import SweepSpec
from tests.orchestrator.conftest import a_manifest

ASKED: list[dict[str, Any]] = [
    {},
    {
        "axes": {"workloads": ["rnn:length=3", 'a "quoted" one'], "batch": [1, 32]},
        "profile": True,
        "baseline": "é\x7f😀",
    },
    {"exclude": [{"framework": "torch"}, {"batch": 1}], "include": [{"framework": "numpy", "workload": "mlp"}]},
    {"environments": {"a.b": {"requirements": ["numpy==2.4.6"]}}, "limits": {"memory": "4GiB", "phases": {"trace": 9}}},
    {"stop": {"budget": "90s", "precision": 1e-5}, "timing": {"samples": 7}, "margin": 0.1},
]


def manifest_of(spec: SweepSpec) -> Manifest:
    return a_manifest((), sweep=spec, seed=7)


@pytest.mark.parametrize("asked", ASKED)
def test_the_sweep_file_asks_for_the_same(asked: dict[str, Any]) -> None:
    spec = validate_sweep(asked)
    text = format_sweep_file(manifest_of(spec))
    assert validate_sweep(tomllib.loads(text)) == spec.model_copy(update={"seed": 7})


def test_the_sweep_file_of_a_suite_says_what_the_suite_said() -> None:
    spec = validate_sweep({"suite": "operations", "axes": {"tasks": ["backward"]}})
    again = validate_sweep(tomllib.loads(format_sweep_file(manifest_of(spec))))
    assert again == spec.model_copy(update={"seed": 7, "suite": None})


def test_a_sweep_of_models_is_repeated_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.joinpath("net.py").write_text("import torch\n")
    axes = {"environment": ["current"], "frameworks": ["torch:eager"]}
    spec = validate_sweep({"models": [{"source": "net.py", "folder": str(tmp_path)}], "axes": axes})
    file = tmp_path / "sweep.toml"
    file.write_text(format_sweep_file(manifest_of(spec)))
    monkeypatch.chdir("/")
    assert validate_sweep(load_sweep_file(file)) == spec.model_copy(update={"seed": 7})


@pytest.mark.long
def test_a_sweep_leaves_the_file_in_its_runs_folder(inside: Callable[..., Any], tmp_path: Path) -> None:
    done = inside(
        "sweep", "--frameworks", "numpy", "--workloads", "mlp", "--env", "current", "--blocks", "1", "--no-report"
    )
    assert done.code == 0, done.err
    (file,) = tmp_path.glob("runs/*/sweep.toml")
    assert f"Repeat it with: python -m orchestrator sweep {file.relative_to(tmp_path)}" in " ".join(done.out.split())
    assert load_sweep_file(file)["axes"] == {"frameworks": ["numpy"], "workloads": ["mlp"], "environment": ["current"]}
