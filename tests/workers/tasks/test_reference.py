"""An implementation as the reference: real workers are checked against its float64 results from an earlier job."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from orchestrator.registry import workload_template
from schemas.artefact import Artefact
from schemas.code import hash_workload_code
from schemas.event import Exported, Failure
from schemas.job import ComputeReference, JobSpec

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Python, Work

pytestmark = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")

Spec = Callable[..., JobSpec]
MEASURING = """
import sys
from schemas.job import ComputeReference, JobSpec
from workers.tasks import measure as job
from workers.measurement.phases import Ledger
from workers.measurement.stopwatch import carry_out
carry_out(job.run(JobSpec.model_validate_json(sys.stdin.buffer.read()), Ledger(lambda _: None)))
print(*sorted({"torch", "tensorflow", "jax"} & set(sys.modules)))
"""
SIZES = {"width": 6, "hidden": 9}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a workload without formulas, and with a mistake in its JAX implementation."""
    made = workload_template.write_template("mine", tmp_path_factory.mktemp("referee")).resolve()
    reference = (made / "reference.py").read_text()
    (made / "reference.py").write_text(reference.partition("def forward")[0])
    (made / "jax.py").write_text((made / "jax.py").read_text().replace("nn.silu", "nn.gelu"))
    return made


@pytest.fixture(scope="module")
def spec(folder: Path, ask: "Ask") -> Spec:
    def of(framework: str, mode: str, **fields: object) -> JobSpec:
        job = ask(framework, mode, "mine", SIZES, batch=3, code=hash_workload_code(folder), **fields)
        return job.model_copy(update={"source_dir": str(folder), "reference": "torch"})

    return of


@pytest.fixture(scope="module")
def expected(spec: Spec, work: "Work", tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Artefact]:
    """Compute the results of PyTorch once for each task."""
    kept: dict[str, Artefact] = {}
    place = tmp_path_factory.mktemp("expected")

    def of(task: str) -> Artefact:
        if task not in kept:
            purpose = ComputeReference(path=str(place / f"{task}.npz"))
            job = spec("torch", "eager", task=task).model_copy(update={"purpose": purpose})
            ended = work(job)
            last = ended.events[-1]
            assert isinstance(last, Exported), ended.log
            assert [cost.name for cost in last.phases] == ["start", "import", "data", "reference", "ledger"]
            kept[task] = last.artefact
        return kept[task]

    return of


@pytest.mark.long
@pytest.mark.parametrize(
    ("mode", "task"), [("eager", "backward"), ("script", "backward"), ("trace", "forward"), ("eager", "train-adam")]
)
def test_modes_that_agree_with_it_are_right_and_say_what_they_were_held_to(
    spec: Spec, expected: Callable[[str], Artefact], work: "Work", mode: str, task: str
) -> None:
    report = work(spec("torch", mode, task=task).model_copy(update={"expected": expected(task)})).report
    assert report.verification.reason == ""
    assert report.verification.referee == "torch"
    assert len(report.verification.checks) >= 3
    assert report.work.flops == 0
    assert report.work.bytes > 0


@pytest.mark.long
def test_a_framework_that_computes_something_else_is_wrong(
    spec: Spec, expected: Callable[[str], Artefact], work: "Work"
) -> None:
    if find_spec("jax") is None:
        pytest.skip("jax is not installed")
    report = work(spec("jax", "jit").model_copy(update={"expected": expected("backward")})).report
    assert "is off by" in report.verification.reason


def test_the_file_has_float64_and_for_tolerances_float32_of_every_set_of_inputs(
    expected: Callable[[str], Artefact],
) -> None:
    with np.load(expected("backward").path, allow_pickle=False) as kept:
        cases = {tuple(name.split(".")[:2]) for name in kept.files}
        assert cases == {(dtype, f"set {number}") for dtype in ("float64", "float32") for number in range(4)}
        exact, rounded = kept["float64.set 0.1"], kept["float32.set 0.1"]
        assert exact.dtype == np.float64
        assert 0 < np.linalg.norm(rounded - exact) < 1e-6 * np.linalg.norm(exact)


@pytest.mark.long
def test_a_measured_process_imports_no_framework_but_its_own(
    spec: Spec, expected: Callable[[str], Artefact], python: "Python"
) -> None:
    if find_spec("jax") is None:
        pytest.skip("jax is not installed")
    job = spec("jax", "eager").model_copy(update={"expected": expected("backward")})
    assert python(MEASURING, job.model_dump_json().encode()).output.split() == [b"jax"]


def test_a_file_that_is_not_what_was_worked_out_is_refused(
    spec: Spec, expected: Callable[[str], Artefact], work: "Work", tmp_path: Path
) -> None:
    other = tmp_path / "other.npz"
    other.write_bytes(b"x")
    artefact = expected("forward").model_copy(update={"path": str(other)})
    last = work(spec("torch", "eager", task="forward").model_copy(update={"expected": artefact})).events[-1]
    assert isinstance(last, Failure)
    assert "has changed since it was exported" in last.reason


def test_a_mistake_in_it_is_told_with_its_line(folder: Path, spec: Spec, work: "Work", tmp_path: Path) -> None:
    broken = tmp_path / "mine"
    broken.mkdir()
    for path in folder.glob("*.*"):
        (broken / path.name).write_text(path.read_text().replace("torch.mm(hidden,", "torch.mm(hiden,"))
    job = spec("torch", "eager", task="forward")
    cell = job.cell.model_copy(update={"code": hash_workload_code(broken)})
    update = {"source_dir": str(broken), "cell": cell, "purpose": ComputeReference(path=str(tmp_path / "x.npz"))}
    assert work(job.model_copy(update=update)).events[-1] == Failure(
        outcome="raised", reason="NameError: name 'hiden' is not defined", where=f"{broken}/torch.py:18"
    )
