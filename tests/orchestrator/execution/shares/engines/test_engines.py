"""An engine is found by what a user writes, and files are shared where that is usual."""

import os
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.execution.shares.engines import open_engine, shares_files
from orchestrator.execution.shares.engines.command import CommandEngine
from orchestrator.execution.shares.engines.kubernetes import KubernetesEngine
from orchestrator.execution.shares.engines.slurm import SlurmEngine
from schemas.cluster import Cluster


@pytest.mark.parametrize(
    ("on", "kind"), [("slurm", SlurmEngine), ("kubernetes", KubernetesEngine), ("ssh {node} {command}", CommandEngine)]
)
def test_an_engine_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on: str, kind: type) -> None:
    for name in ("sbatch", "squeue", "scancel", "ssh"):
        (tmp_path / name).touch(mode=0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert isinstance(open_engine(Cluster(on=on, nodes=2, program="plumbline"), 4), kind)


def test_a_patience_between_two_signs_of_life_is_refused() -> None:
    with pytest.raises(UsageError) as raised:
        open_engine(Cluster(on="env {command}", patience=8), 4)
    assert str(raised.value) == (
        "patience in [cluster] is 8 s, but a share gives a sign of life every 5 s; write 15s or more"
    )
    open_engine(Cluster(on="env {command}", patience=15), 4)


def test_a_name_without_an_engine_says_what_there_is() -> None:
    with pytest.raises(UsageError) as raised:
        open_engine(Cluster(on="ssh {node}"), 4)
    said = "--on 'ssh {node}' names no engine; write slurm, kubernetes, or a command such as 'ssh {node} {command}'"
    assert str(raised.value) == said


@pytest.mark.parametrize(
    ("on", "files", "shared"),
    [
        ("slurm", None, True),
        ("kubernetes", None, True),
        ("ssh {node} {command}", None, False),
        ("ssh {node} {command}", "shared", True),
        ("slurm", "shared", True),
    ],
)
def test_files_are_shared_or_streamed(on: str, files: str | None, *, shared: bool) -> None:
    assert shares_files(Cluster.model_validate({"on": on, "files": files})) is shared
