"""A run can be reproduced from its page alone."""

from orchestrator.analysis.run import Run
from orchestrator.report.page.reproduce import format_command
from schemas.record import Manifest
from schemas.sweep import SweepSpec


def of(run: Run, **changes: object) -> Manifest:
    return run.manifest.model_copy(update=changes)


def test_the_command_repeats_the_sweep_in_its_own_random_order(known_run: Run) -> None:
    assert format_command(known_run.manifest) == "python -m orchestrator sweep --workloads mlp:depth=3 --seed 7"
    assert "--seed" not in format_command(of(known_run, sweep=SweepSpec(seed=7)))
    assert "'a b.toml'" in format_command(of(known_run, command=("sweep", "a b.toml")))
