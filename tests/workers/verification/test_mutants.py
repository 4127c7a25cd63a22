"""Verification tells known semantic mistakes, of frameworks or of ports, from faithful arithmetic in float32.

Each reference is the formula in float64 with gradients by autograd; faithful is the framework's own operation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest

from schemas.job import Dtype, Task
from workers.arrays import Array
from workers.interfaces import Parameters, Reference
from workers.verification.tolerance import Expectation, explain_checks, make_call_evaluator

# The module, which is passed along so that only a test that needs it imports it.
Torch = Any
Tensor = Any

# Takes the module torch, the weights by name, and the inputs.
Compute = Callable[..., Tensor]


class Autograd:
    """A computation as a reference: its loss is the mean of the squared output, its gradients come from PyTorch."""

    def __init__(self, torch: Torch, compute: Compute) -> None:
        self._torch, self._compute = torch, compute

    def forward(self, parameters: Parameters, weights: Mapping[str, Array], *inputs: Array) -> Array:
        return cast("Array", self._output(self._tensors(weights), inputs).detach().numpy())

    def backward(
        self, parameters: Parameters, weights: Mapping[str, Array], *inputs: Array
    ) -> tuple[Any, dict[str, Array]]:
        leaves = {name: tensor.requires_grad_() for name, tensor in self._tensors(weights).items()}
        loss = self._output(leaves, inputs).square().mean()
        loss.backward()
        return loss.detach().numpy(), {name: leaf.grad.numpy() for name, leaf in leaves.items()}

    def _tensors(self, weights: Mapping[str, Array]) -> dict[str, Tensor]:
        return {name: self._torch.tensor(weight) for name, weight in weights.items()}

    def _output(self, tensors: Mapping[str, Tensor], inputs: tuple[Array, ...]) -> Tensor:
        return self._compute(self._torch, tensors, *map(self._torch.tensor, inputs))


def gelu(torch: Torch, w: Mapping[str, Tensor], x: Tensor) -> Tensor:
    z = x @ w["W"].T
    return 0.5 * z * (1 + torch.erf(z / 2**0.5))


def library_gelu(approximate: str) -> Compute:
    return lambda torch, w, x: torch.nn.functional.gelu(x @ w["W"].T, approximate=approximate)


def layer_norm(torch: Torch, w: Mapping[str, Tensor], x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return w["gain"] * centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()


def library_layer_norm(eps: float) -> Compute:
    return lambda torch, w, x: torch.nn.functional.layer_norm(x, x.shape[-1:], w["gain"], None, eps)


def lstm(torch: Torch, w: Mapping[str, Tensor], xs: Tensor, h: Tensor, c: Tensor) -> Tensor:
    for x in xs:
        i, f, g, o = (x @ w["W_ih"].T + h @ w["W_hh"].T + w["b"]).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
    return h


def library_lstm(*order: int) -> Compute:
    """Return PyTorch's cell with its gates in this order."""

    def compute(torch: Torch, w: Mapping[str, Tensor], xs: Tensor, h: Tensor, c: Tensor) -> Tensor:
        of_x, of_h, b = (torch.cat([w[name].chunk(4)[gate] for gate in order]) for name in ("W_ih", "W_hh", "b"))
        for x in xs:
            h, c = torch.lstm_cell(x, (h, c), of_x, of_h, b, torch.zeros_like(b))
        return h

    return compute


def convolution(torch: Torch, w: Mapping[str, Tensor], x: Tensor) -> Tensor:
    patches = torch.nn.functional.unfold(torch.nn.functional.pad(x, (0, 1, 0, 1)), 3, stride=2)
    return w["K"].flatten(1) @ patches


def library_convolution(*padding: int) -> Compute:
    def compute(torch: Torch, w: Mapping[str, Tensor], x: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(x, padding)
        return torch.nn.functional.conv2d(padded, w["K"], stride=2).flatten(2)

    return compute


def batch_norm(torch: Torch, w: Mapping[str, Tensor], x: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    return (x - mean) / (deviation.square() + 1e-5).sqrt() * w["gain"] + w["shift"]


def library_batch_norm(eps: float) -> Compute:
    return lambda torch, w, x, mean, deviation: torch.nn.functional.batch_norm(
        x, mean, deviation.square(), w["gain"], w["shift"], eps=eps
    )


def running_statistics(torch: Torch, w: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Compute mean and variance after a step of training, from 0 and the weight, with a tenth of the new."""
    unbiased = (x - x.mean(0)).square().sum(0) / (len(x) - 1)
    return torch.stack([0.1 * x.mean(0), 0.9 * w["variance"] + 0.1 * unbiased])


def library_running_statistics(momentum: float) -> Compute:
    def compute(torch: Torch, w: Mapping[str, Tensor], x: Tensor) -> Tensor:
        mean, variance = torch.zeros_like(x[0]), w["variance"].detach().clone()
        torch.nn.functional.batch_norm(x, mean, variance, training=True, momentum=momentum)
        return torch.stack([mean, variance])

    return compute


def biased_running_statistics(torch: Torch, w: Mapping[str, Tensor], x: Tensor) -> Tensor:
    return torch.stack([0.1 * x.mean(0), 0.9 * w["variance"] + 0.1 * x.var(0, unbiased=False)])


@dataclass(frozen=True)
class Subject:
    """One operation: the shapes of its weights and inputs, its formula, its faithful form and its mutants."""

    weights: Mapping[str, tuple[int, ...]]
    inputs: tuple[tuple[int, ...], ...]
    formula: Compute
    faithful: Compute
    mutants: Mapping[str, Compute]
    tasks: tuple[Task, ...] = ("forward", "backward")

    def draw(self) -> tuple[dict[str, Array], list[Array]]:
        """Draw weights and inputs that float32 holds exactly."""
        rng = np.random.default_rng(3)

        def drawn(shape: tuple[int, ...]) -> Array:
            return rng.standard_normal(shape).astype(np.float32).astype(np.float64)

        return {name: drawn(shape) for name, shape in self.weights.items()}, [drawn(shape) for shape in self.inputs]


SUBJECTS = {
    "GELU": Subject({"W": (16, 8)}, ((32, 8),), gelu, library_gelu("none"), {"by tanh": library_gelu("tanh")}),
    "LayerNorm": Subject(
        {"gain": (32,)},
        ((8, 32),),
        layer_norm,
        library_layer_norm(1e-5),
        {
            "eps 1e-6": library_layer_norm(1e-6),
            "eps 1e-4": library_layer_norm(1e-4),
            "eps 1e-3": library_layer_norm(1e-3),
        },
    ),
    "LSTM": Subject(
        {"W_ih": (24, 4), "W_hh": (24, 6), "b": (24,)},
        ((5, 2, 4), (2, 6), (2, 6)),
        lstm,
        library_lstm(0, 1, 2, 3),
        {"i and f swapped": library_lstm(1, 0, 2, 3), "c and o swapped": library_lstm(0, 1, 3, 2)},
    ),
    "convolution": Subject(
        {"K": (4, 3, 3, 3)},
        ((2, 3, 8, 8),),
        convolution,
        library_convolution(0, 1, 0, 1),
        {"shifted": library_convolution(1, 0, 1, 0), "shifted along one axis": library_convolution(1, 0, 0, 1)},
    ),
    "BatchNorm": Subject(
        {"gain": (6,), "shift": (6,)},
        ((8, 6), (6,), (6,)),
        batch_norm,
        library_batch_norm(1e-5),
        {"eps 1e-4": library_batch_norm(1e-4), "eps 1e-3": library_batch_norm(1e-3)},
    ),
    "running statistics": Subject(
        {"variance": (6,)},
        ((8, 6),),
        running_statistics,
        library_running_statistics(0.1),
        {
            "momentum 0.9": library_running_statistics(0.9),
            "momentum 0.01": library_running_statistics(0.01),
            "biased": biased_running_statistics,
        },
        ("forward",),
    ),
}

MUTANTS = [
    pytest.param(subject, mutant, task, id=f"{name}, {mutant}, {task}")
    for name, subject in SUBJECTS.items()
    for mutant in subject.mutants
    for task in subject.tasks
]
FAITHFUL = [
    pytest.param(subject, task, id=f"{name}, {task}") for name, subject in SUBJECTS.items() for task in subject.tasks
]


@pytest.fixture(scope="module")
def torch() -> Torch:
    """PyTorch, where it is installed."""
    return pytest.importorskip("torch")


def reason(torch: Torch, subject: Subject, compute: Compute, task: Task, dtype: Dtype) -> str:
    """Compute the task in this dtype, and return what is wrong with it."""
    weights, inputs = subject.draw()
    reference = cast("Reference", Autograd(torch, subject.formula))
    expectation = Expectation(make_call_evaluator(reference, task, {}, weights, inputs), dtype)
    candidate = Autograd(torch, compute)
    rounded = {name: weight.astype(dtype) for name, weight in weights.items()}
    values = [value.astype(dtype) for value in inputs]
    if task == "forward":
        outputs = [candidate.forward({}, rounded, *values)]
    else:
        loss, gradients = candidate.backward({}, rounded, *values)
        outputs = [loss, *gradients.values()]
    return explain_checks(expectation.check_tensors([output.astype(np.float64) for output in outputs], "some inputs"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("subject", "task"), FAITHFUL)
def test_faithful_arithmetic_passes(torch: Torch, subject: Subject, task: Task, dtype: Dtype) -> None:
    assert reason(torch, subject, subject.faithful, task, dtype) == ""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("subject", "mutant", "task"), MUTANTS)
def test_a_semantic_mistake_is_rejected(torch: Torch, subject: Subject, mutant: str, task: Task, dtype: Dtype) -> None:
    assert "is off by" in reason(torch, subject, subject.mutants[mutant], task, dtype)
