"""Results that last bits move far: what is wrong in float64 is wrong, and rounding accuses nobody."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.event import Failure, Report
from schemas.limits import Limits
from tests.workers.models.conftest import Case
from tests.workers.models.endings import explain
from tests.workers.own_code import write_workload
from workers.tasks.recheck import describe_conditioning

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Work

MakeCase = Callable[[str], Case]

# The sine of many times a layer's results. A traced copy may compute another thing.
SENSITIVE = textwrap.dedent("""
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 3)

        def forward(self, x):
            return self.mutate(x) if torch.jit.is_tracing() else self.compute(x)

        def compute(self, x):
            return self.last(torch.sin(3e4 * self.first(x)))

        def mutate(self, x):
            return self.last(torch.sin(3e4 * self.first(x)))

    def inputs(batch=1):
        return torch.randn(batch, 6)
""")
SLIGHTLY_OFF = ("torch.sin(3e4 * self.first(x))", "1.001 * torch.sin(3e4 * self.first(x))")


@pytest.fixture
def make_case(tmp_path: Path, ask: "Ask", work: "Work") -> MakeCase:
    """Return what makes a model of PyTorch from its text."""
    return lambda text: Case(tmp_path, text, ask, work, "torch", ())


def mutate(change: tuple[str, str]) -> str:
    """Return the model whose traced copy computes another thing."""
    head, mutated, tail = SENSITIVE.partition("def mutate")
    assert change[0] in tail
    return head + mutated + tail.replace(*change)


@pytest.mark.long
@pytest.mark.parametrize("task", ["forward", "train-adam"])
def test_an_ill_conditioned_model_is_right_in_every_mode_and_its_conditioning_is_said(
    make_case: MakeCase, task: str
) -> None:
    case = make_case(SENSITIVE)
    expected = case.expect(task=task, batch=3)
    for mode in ("torch:eager", "torch:trace"):
        report = case.measure(mode, expected, task=task, batch=3)
        assert isinstance(report, Report), explain(report)
        assert report.verification.reason == ""
        (note,) = report.notes
        assert note.startswith("ill-conditioned: last-bit changes move ")
        assert note.endswith("it is verified in float64 as well")
        checks = report.verification.checks
        exact = [check for check in checks if check.inputs.endswith("in float64")]
        assert exact
        assert max(check.tolerance for check in exact) < 1e-6
        assert max(check.tolerance for check in checks) > 1e-3


@pytest.mark.long
@pytest.mark.parametrize("task", ["forward", pytest.param("backward", marks=pytest.mark.long)])
def test_a_mutant_that_rounding_hides_is_wrong_in_float64(make_case: MakeCase, task: str) -> None:
    report = make_case(mutate(SLIGHTLY_OFF)).measure("torch:trace", task=task, batch=3)
    assert isinstance(report, Report), explain(report)
    assert "is off by " in report.verification.reason
    assert "in float64" in report.verification.reason
    failed = {check.inputs.rpartition(", ")[2] for check in report.verification.checks if not check.passed}
    assert failed == {"in float64"}


@pytest.mark.long
def test_only_the_first_block_is_verified_in_float64(make_case: MakeCase, work: "Work") -> None:
    case = make_case(mutate(SLIGHTLY_OFF))
    spec = case.make_spec("torch:trace", batch=3)
    later = spec.model_copy(update={"expected": case.expect(batch=3), "block": spec.block + 1})
    report = work(later).report
    assert (report.verification.reason, report.notes) == ("", ())


@pytest.mark.long
def test_a_mode_that_cannot_run_in_float64_is_verified_as_widely_as_rounding_and_that_is_said(
    make_case: MakeCase,
) -> None:
    text = mutate((SLIGHTLY_OFF[0], f"self.narrow({SLIGHTLY_OFF[0]})"))
    text = text.replace(
        "    def mutate", "    def narrow(self, x):\n        raise_on(x)\n        return x\n\n    def mutate"
    )
    text += "\ndef raise_on(x):\n    if x.dtype == torch.float64:\n        raise TypeError('no kernel for it')\n"
    report = make_case(text).measure("torch:trace", batch=3)
    assert isinstance(report, Report), explain(report)
    assert report.verification.reason == ""
    (note,) = report.notes
    said, _, reason = note.partition("; only agreement that wide is checked ")
    assert said.startswith("ill-conditioned: last-bit changes move output by ")
    assert "TypeError: no kernel for it" in reason


@pytest.mark.long
def test_zeros_are_no_result_of_an_ill_conditioned_model(make_case: MakeCase) -> None:
    report = make_case(mutate(("torch.sin", "0 * torch.sin"))).measure("torch:trace", batch=3)
    assert not isinstance(report, Failure), explain(report)
    assert isinstance(report, Report)
    assert "is off by" in report.verification.reason


def test_the_note_names_the_tensor_that_moves_most() -> None:
    assert describe_conditioning({"output": 0.031}) == (
        "ill-conditioned: last-bit changes move output by 3.1 %; it is verified in float64 as well"
    )
    assert "move output by 123 %;" in describe_conditioning({"output": 1.234})
    assert describe_conditioning({"gradient of a": 0.01, "gradient of b": 0.25}, "its file computes in float32") == (
        "ill-conditioned: last-bit changes move gradient of b by 25 % and 1 more tensors by less; only agreement that "
        "wide is checked (its file computes in float32)"
    )


TORCH = """
    import torch
    class Model(torch.nn.Module):
        def __init__(self, parameters, weights):
            super().__init__()
            self.w = torch.nn.Parameter(weights["w"])
        def forward(self, x): return {called}
"""
TENSORFLOW = """
    import tensorflow as tf
    class Model(tf.Module):
        def __init__(self, parameters, weights):
            super().__init__()
            self.w = tf.Variable(weights["w"])
            self.weights = [self.w]
        def __call__(self, x): return {called}
"""
JAX = """
    import jax.numpy as jnp
    class Model:
        def __init__(self, parameters, weights): self.w = weights["w"]
        def __call__(self, x): return {called}
"""
MODELS = {"torch": TORCH, "tensorflow": TENSORFLOW, "jax": JAX}
# A mean over so many numbers that the rounding of each averages out.
MEAN = {"forward": "np.mean(np.exp(x * w))", "width": 30_000}
# A reference that loses digits in float32, by which the usual tolerance is widened.
VARIANCE = "np.mean((99 + x) ** 2, axis=1, keepdims=True) - np.mean(99 + x, axis=1, keepdims=True) ** 2"
LOOSE = {"forward": f"x * w / np.sqrt({VARIANCE})"}

Told = Callable[..., Report]


@pytest.fixture
def told(ask: "Ask", work: "Work", tmp_path: Path) -> Told:
    """Measure a workload whose implementation has this expression, and return its report."""

    def of(label: str, called: str, **reference: object) -> Report:
        framework, _, mode = label.partition(":")
        code = MODELS[framework].format(called=called)
        workload = write_workload(tmp_path / "own", framework, code, **reference)  # type: ignore[arg-type]
        spec = ask(framework, mode, "own", {}, batch=1, code=workload.code, task="forward")
        return work(spec.model_copy(update={"source_dir": workload.source_dir})).report

    return of


@pytest.mark.long
@pytest.mark.parametrize(
    ("label", "called"),
    [
        ("torch:eager", "torch.exp((x * self.w).half()).float().mean()"),
        ("torch:trace", "torch.exp((x * self.w).half()).to(x.dtype).mean()"),
        ("torch:eager", "torch.exp((x.bfloat16() * self.w.bfloat16()).to(x.dtype)).mean()"),
        ("tensorflow:function", "tf.reduce_mean(tf.cast(tf.exp(tf.cast(x * self.w, tf.float16)), x.dtype))"),
        ("jax:jit", "jnp.mean(jnp.exp((x * self.w).astype(jnp.float16)).astype(x.dtype))"),
    ],
)
def test_half_precision_that_a_mean_hides_is_wrong_in_float64(told: Told, label: str, called: str) -> None:
    report = told(label, called, **MEAN)
    assert "in float64: a lower precision is at work inside" in report.verification.reason or "is off by" in (
        report.verification.reason
    )
    assert any(not check.passed and check.inputs.endswith("in float64") for check in report.verification.checks)


@pytest.mark.long
@pytest.mark.parametrize(
    ("label", "called"),
    [
        ("torch:eager", "torch.exp(x * self.w).mean()"),
        ("torch:eager", "torch.exp((x * self.w).float()).mean()"),
        ("torch:script", "torch.exp(x * self.w).mean()"),
        ("tensorflow:eager", "tf.reduce_mean(tf.exp(x * self.w))"),
        ("tensorflow:function", "tf.reduce_mean(tf.cast(tf.exp(tf.cast(x * self.w, tf.float32)), x.dtype))"),
        ("jax:jit", "jnp.mean(jnp.exp(x * self.w))"),
        ("jax:jit", "jnp.mean(jnp.exp((x * self.w).astype(jnp.float32)))"),
    ],
)
def test_a_mean_in_single_or_double_precision_is_right(told: Told, label: str, called: str) -> None:
    report = told(label, called, **MEAN)
    assert (report.verification.reason, report.notes) == ("", ())
    assert sum(check.inputs.endswith("in float64") for check in report.verification.checks) >= 4


def test_a_reference_that_loses_digits_hides_no_half_precision(told: Told) -> None:
    spread = "x.std(dim=1, keepdim=True, correction=0)"
    honest = told("torch:eager", f"x * self.w / {spread}", **LOOSE)
    assert honest.verification.reason == ""
    assert max(check.tolerance for check in honest.verification.checks) > 1e-4
    halved = told("torch:eager", f"(x.half() * self.w.half()).float() / {spread}", **LOOSE)
    assert "in float64: a lower precision is at work inside" in halved.verification.reason


def test_another_function_outside_of_what_is_drawn_accuses_nobody(told: Told) -> None:
    # Inputs are drawn below 10: what a model does beyond is no part of the comparison.
    honest = told("torch:eager", "torch.where(x * self.w > 10, x * 0, x * self.w)", forward="x * w")
    assert honest.verification.reason == ""


def test_code_that_cannot_run_in_float64_is_right_as_far_as_can_be_told_and_that_is_said(told: Told) -> None:
    report = told("torch:eager", "x * self.w if x.dtype == torch.float32 else no_kernel(x)", forward="x * w")
    assert report.verification.reason == ""
    (note,) = report.notes
    assert note.startswith("it was not verified in float64 (NameError: name 'no_kernel' is not defined)")


def test_code_that_refuses_inputs_which_are_not_drawn_is_verified_on_those_that_are(told: Told) -> None:
    called = "x * self.w if x.abs().max() < 20 else refuse(x)"
    report = told("torch:eager", called, forward="x * w")
    assert (report.verification.reason, report.notes) == ("", ())
    seen = {check.inputs for check in report.verification.checks if check.inputs.endswith("in float64")}
    assert seen >= {"input set 0, in float64", "input set 1, in float64", "input set 0 over 8, in float64"}
    assert "input set 0 times 8, in float64" not in seen


def test_too_little_memory_for_float64_is_no_failure_of_the_job(told: Told) -> None:
    called = "x * self.w if x.dtype == torch.float32 else torch.empty(1 << 60)"
    report = told("torch:eager", called, forward="x * w")
    assert report.verification.reason == ""
    (note,) = report.notes
    assert note.startswith("it was not verified in float64 (")


def test_a_job_with_a_limit_of_memory_does_not_run_its_model_twice(ask: "Ask", work: "Work", tmp_path: Path) -> None:
    workload = write_workload(tmp_path / "own", "torch", TORCH.format(called="x * self.w"), forward="x * w")
    spec = ask("torch", "eager", "own", {}, batch=1, code=workload.code, task="forward")
    more = {"source_dir": workload.source_dir, "limits": Limits(memory=1 << 34)}
    report = work(spec.model_copy(update=more)).report
    assert report.verification.reason == ""
    assert not any(check.inputs.endswith("in float64") for check in report.verification.checks)
    assert "its memory is limited" in report.notes[0]
