"""Models of every kind that people have are measured as they are, and what is wrong with one is said."""

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.analysis.derivation.memory import measure_growth_per_call
from orchestrator.registry.workloads import load_workload_folder
from schemas.event import Event, Exported, Failure, Report
from schemas.job import ComputeReference, JobSpec
from tests.workers.own_code import explain
from tests.workers.own_models import write_model

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Work

Measured = Callable[..., Event]


@pytest.fixture
def measured(ask: "Ask", work: "Work", tmp_path: Path) -> Measured:
    """Measure a model, after its reference if that is an implementation; a failure of the reference is the result."""

    def of(name: str, label: str, task: str = "forward", dtype: str = "float32") -> Event:
        workload, (framework, _, mode) = load_workload_folder(write_model(tmp_path, name)), label.partition(":")
        for needed in filter(None, (framework, workload.reference)):
            if find_spec(needed) is None:
                pytest.skip(f"{needed} is not installed")
        more = {"source_dir": workload.source_dir, "reference": workload.reference, "weights": workload.weights}

        def build(framework: str, mode: str) -> JobSpec:
            spec = ask(framework, mode, name, {}, batch=3, code=workload.code, task=task, dtype=dtype)
            return spec.model_copy(update=more)

        spec = build(framework, mode)
        if workload.reference:
            purpose = ComputeReference(path=str(tmp_path / "expected.npz"))
            last = work(build(workload.reference, "eager").model_copy(update={"purpose": purpose})).events[-1]
            if not isinstance(last, Exported):
                return last
            spec = spec.model_copy(update={"expected": last.artefact})
        return work(spec).events[-1]

    return of


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "label", "task", "dtype"),
    [
        ("operation", "torch:eager", "forward", "float32"),
        ("operation", "jax:jit", "forward", "float64"),
        ("operation", "tensorflow:function", "forward", "float32"),
        ("operation", "numpy:eager", "forward", "float32"),
        ("table", "torch:eager", "forward", "float32"),
        ("table", "torch:eager", "train-sgd", "float32"),
        ("table", "torch:eager", "train-adam", "float64"),
        ("sparse", "torch:eager", "backward", "float32"),
        ("sparse", "torch:eager", "train-sgd", "float32"),
        ("block", "torch:eager", "train-sgd", "float32"),
        ("block", "torch:trace", "train-sgd", "float32"),
        ("block", "torch:eager", "backward", "float64"),
        ("block", "torch:trace", "forward", "float32"),
        ("block", "torch:eager", "forward", "bfloat16"),
        ("dropout", "torch:eager", "forward", "float32"),
        ("complex", "torch:eager", "train-sgd", "float32"),
        ("complex", "jax:jit", "train-sgd", "float32"),
        ("complex", "jax:eager", "backward", "float64"),
        ("complex", "numpy:eager", "backward", "float32"),
        ("dense", "torch:eager", "backward", "float32"),
        ("dense", "tensorflow:function", "train-sgd", "float32"),
        ("dense", "tensorflow:eager", "forward", "float64"),
        ("dense", "jax:jit", "backward", "float32"),
        ("dataclass", "torch:eager", "forward", "float32"),
        ("dataclass", "torch:trace", "forward", "float32"),
    ],
)
def test_a_model_is_measured_as_it_is(measured: Measured, name: str, label: str, task: str, dtype: str) -> None:
    assert explain(measured(name, label, task, dtype)) == ""


@pytest.mark.parametrize(
    ("name", "dtype", "said"),
    [
        ("narrow_weight", "float64", "the weight w is float32, but this computes in float64"),
        ("narrow_weight", "bfloat16", "the weight w is float32, but this computes in float64"),
        ("narrow_output", "bfloat16", "the step returned float32 as tensor 0, but this computes in float64"),
    ],
)
@pytest.mark.long
def test_a_model_that_stays_in_float32_is_neither_measured_nor_the_referee_under_another_title(
    measured: Measured, name: str, dtype: str, said: str
) -> None:
    assert said in explain(measured(name, "torch:eager", "forward", dtype))


def test_dropout_in_training_is_named_with_what_to_do(measured: Measured) -> None:
    said = explain(measured("dropout", "torch:eager", "backward"))
    assert said.startswith("two calls on the same inputs differ by ")
    assert "set the rate of Dropout drop to 0; a reference that differs from itself can judge nothing" in said


@pytest.mark.long
def test_a_mode_that_differs_from_itself_is_wrong_for_that_reason(measured: Measured) -> None:
    said = explain(measured("noisy", "torch:eager"))
    assert said.startswith("wrong: two calls on the same inputs differ by ")
    assert said.endswith("let the model draw no random numbers")


def test_a_lookup_is_held_to_its_rows(measured: Measured) -> None:
    report = measured("table", "torch:eager", "forward")
    assert isinstance(report, Report)
    # At most 90 rows of a table of 1000.
    assert 0 < report.work.bytes <= 90 * 50 * 4


def test_memory_that_a_model_keeps_from_call_to_call_is_found(measured: Measured) -> None:
    report = measured("growing", "torch:eager", "forward")
    assert isinstance(report, Report)
    assert measure_growth_per_call(report) == pytest.approx(512 << 10, rel=0.1)


def test_a_package_that_the_environment_lacks_is_named_with_what_adds_it(
    ask: "Ask", work: "Work", tmp_path: Path
) -> None:
    folder = write_model(tmp_path, "operation")
    (folder / "reference.py").write_text("import nowhere_to_be_found.at_all\n")
    workload = load_workload_folder(folder)
    for environment, remedy in (
        ("nets", "add it to `requirements` under [environments.nets] in the sweep file"),
        ("current", f"add it to this environment: {sys.executable} -m pip install nowhere_to_be_found"),
    ):
        spec = ask("numpy", "eager", "operation", {}, code=workload.code, task="forward", environment=environment)
        last = work(spec.model_copy(update={"source_dir": workload.source_dir})).events[-1]
        assert isinstance(last, Failure)
        assert last.reason.startswith("ModuleNotFoundError: No module named 'nowhere_to_be_found'; ")
        assert remedy in last.reason
        assert (last.breach, last.where) == ("reference", f"{folder}/reference.py:1")


@pytest.mark.parametrize(
    ("file", "text", "breach"),
    [
        ("reference.py", "def shapes(parameters, batch)", "reference"),
        ("reference.py", "shapes = None", "reference"),
        ("torch.py", "class Modle:\n    pass", "implementation"),
        ("torch.py", "class Model:\n    def __init__(self, p, w):\n        raise ValueError", ""),
    ],
)
@pytest.mark.long
def test_only_what_every_job_would_repeat_is_a_breach(
    ask: "Ask", work: "Work", tmp_path: Path, file: str, text: str, breach: str
) -> None:
    folder = write_model(tmp_path, "operation")
    (folder / file).write_text(f"{text}\n")
    workload = load_workload_folder(folder)
    spec = ask("torch", "eager", "operation", {}, code=workload.code, task="forward")
    last = work(spec.model_copy(update={"source_dir": workload.source_dir})).events[-1]
    assert isinstance(last, Failure)
    assert (last.outcome, last.breach) == ("raised", breach)
