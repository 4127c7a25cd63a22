"""The command `show`, where it runs a job again."""

import json
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

MakeRecords = Callable[..., list[JobRecord]]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cpus": (4000,)}, "core 4000 is not available here"),
        ({"shared_cpus": (4001,)}, "core 4001 is not available here"),
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


@pytest.fixture
def two(make_run: Callable[..., Store], make_records: MakeRecords, make_cell: Callable[..., Cell]) -> Store:
    """A run of two computations."""
    modes = ("numpy:eager", "torch:eager")
    cells = [make_cell(label, parameters={"depth": depth}) for depth in (3, 12) for label in modes]
    return make_run("two", make_records([(cell, 1000 * (1 + place / 10)) for place, cell in enumerate(cells)]))


def test_some_computations_are_shown_with_the_results_that_they_have_among_all(inside: Inside, two: Store) -> None:
    every, some = (
        json.loads(inside("show", "two", "--json", *only).out)["groups"] for only in ((), ("--only", "depth=12"))
    )
    assert [group["title"] for group in some] == [every[1]["title"]]
    assert some == every[1:]


def test_a_page_of_some_computations_goes_where_it_is_wanted(inside: Inside, two: Store, tmp_path: Path) -> None:
    path = tmp_path / "some.html"
    assert inside("report", "two", "--only", "depth=3", "--output", str(path)).code == ExitCode.FINE
    assert "depth=3" in path.read_text()
    assert "depth=12" not in path.read_text()
    assert not two.page_path.exists()


@pytest.mark.parametrize("command", ["show", "report"])
def test_a_text_that_no_computation_has_is_answered_with_those_that_there_are(
    inside: Inside, two: Store, command: str
) -> None:
    said = inside(command, "two", "--only", "conv")
    assert said.code == ExitCode.USAGE
    assert "no computation of" in said.err
    assert "depth=12" in said.err


def test_one_job_is_not_chosen_by_its_computation(inside: Inside, two: Store) -> None:
    said = inside("show", "two", "001-numpy", "--only", "depth=3")
    assert (said.code, "--only is for a whole run" in said.err) == (ExitCode.USAGE, True)
