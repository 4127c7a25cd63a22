"""A run can be reproduced from its page alone."""

import tomllib
from typing import Any

import pytest

from orchestrator.analysis.run import Run
from orchestrator.planning.sweep_file import validate_sweep
from orchestrator.report.page.reproduce import format_command, format_sweep_file
from schemas.record import Manifest
from schemas.sweep import SweepSpec

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


def of(run: Run, **changes: object) -> Manifest:
    return run.manifest.model_copy(update=changes)


def test_the_command_repeats_the_sweep_in_its_own_random_order(known_run: Run) -> None:
    assert format_command(known_run.manifest) == "python -m orchestrator sweep --workloads mlp:depth=3 --seed 7"
    assert "--seed" not in format_command(of(known_run, sweep=SweepSpec(seed=7)))
    assert "'a b.toml'" in format_command(of(known_run, command=("sweep", "a b.toml")))


@pytest.mark.parametrize("asked", ASKED)
def test_the_sweep_file_asks_for_the_same(asked: dict[str, Any], known_run: Run) -> None:
    spec = validate_sweep(asked)
    text = format_sweep_file(of(known_run, sweep=spec))
    assert validate_sweep(tomllib.loads(text)) == spec.model_copy(update={"seed": 7})


def test_the_sweep_file_of_a_suite_says_what_the_suite_said(known_run: Run) -> None:
    spec = validate_sweep({"suite": "operations", "axes": {"tasks": ["backward"]}})
    again = validate_sweep(tomllib.loads(format_sweep_file(of(known_run, sweep=spec))))
    assert again == spec.model_copy(update={"seed": 7, "suite": None})
