"""The command `show`, where it runs a job again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.machine.affinity import list_cores
from orchestrator.planning.plan import Plan
from orchestrator.records.store import Store
from schemas.artefact import Artefact
from schemas.job import Cell
from schemas.record import JobRecord
from tests.orchestrator.cli.commands.test_export import Inside
from tests.orchestrator.machine.test_core_locks import hold_elsewhere


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cpus": (4000,)}, "core 4000 is not available here"),
        (
            {"variables": {"LD_PRELOAD": "/tmp/evil.so"}},
            "had other variables or another module than this version would use",
        ),
        ({"module": "evil"}, "had other variables or another module than this version would use"),
        (
            {"artefact": Artefact(path="/nowhere/x.onnx", sha256="ab", size_bytes=1)},
            "loads /nowhere/x.onnx, which does not exist",
        ),
    ],
)
def test_a_job_that_cannot_be_run_here_as_it_was_is_not_repeated(
    inside: Inside,
    make_run: Callable[..., Store],
    make_record: Callable[..., JobRecord],
    make_cell: Callable[..., Cell],
    changes: dict[str, object],
    sentence: str,
) -> None:
    record = make_record(make_cell("synthetic:spin"))
    plain: dict[str, object] = {"cpus": (), "variables": {"CUDA_VISIBLE_DEVICES": "-1"}}
    run = make_run("base", [record.model_copy(update={"spec": record.spec.model_copy(update=plain | changes)})])
    said = inside("show", "base", "001-synthetic", "--repeat")
    assert said.code == ExitCode.USAGE
    assert sentence in said.err
    assert run.read_records()[0].spec.cell == record.spec.cell


def test_only_a_job_that_runs_again_can_wait_for_a_core(inside: Inside) -> None:
    said = inside("show", "latest", "--wait")
    assert said.code == ExitCode.USAGE
    assert "--wait is for --repeat" in said.err


def test_a_job_whose_cores_are_all_taken_is_not_repeated(
    inside: Inside,
    make_run: Callable[..., Store],
    make_plan: Callable[..., Plan],
    make_record: Callable[..., JobRecord],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLUMBLINE_LOCKS", str(tmp_path))
    plan = make_plan("synthetic:spin", axes={"workloads": ("synthetic",)})
    spec = plan.build_job(plan.cells[0], 1, 0).model_copy(update={"cpus": list_cores()[-1:]})
    make_run("base", [make_record(spec.cell, spec=spec)], sweep=plan.spec)
    with hold_elsewhere(tmp_path, *list_cores()) as holder:
        said = inside("show", "base", "001-synthetic", "--repeat")
    assert said.code == ExitCode.USAGE
    assert f"process {holder.pid} of " in said.err
