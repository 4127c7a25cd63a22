"""Verification tells every operation from near copies, but not from the same computed otherwise, in float32."""

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import pytest

from schemas.job import Task
from tests.workers.conftest import defaults
from workers import workloads
from workers.arrays import Array
from workers.arrays import cast_floating as cast_to
from workers.interfaces import Parameters
from workers.verification.tolerance import Expectation, explain_checks, make_call_evaluator

# Takes the sizes, the weights by name and the inputs, and returns the result of a call.
Compute = Callable[..., Any]


def changed(workload: str, change: Callable[[Array], Array]) -> Compute:
    """Return the workload itself, with its weight W changed."""
    return lambda p, w, x: workloads.import_reference(workload).forward(p, {"W": change(w["W"])}, x)


def shifted_padding(p: Parameters, w: Mapping[str, Array], x: Array) -> Array:
    """Compute a convolution with all of its padding at the end."""
    later = np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))[:, 1:, 1:]
    return cast("Array", workloads.import_reference("conv2d").forward(p, w, later))


def chain(gate: Callable[[Array], Any], most: float = 1) -> Compute:
    """Return the chain with another gate or another clamp."""

    def compute(p: Parameters, w: Mapping[str, Array], x: Array) -> Array:
        for scale, shift in zip(w["scale"], w["shift"], strict=True):
            u = scale * x + shift
            c = np.clip(u * gate(u), -most, most)
            x = 1.5 * c - 0.5 * c * c * c
        return x

    return compute


def by_tanh(u: Array) -> Array:
    """Compute the gate of SiLU."""
    return cast("Array", 0.5 * (1 + np.tanh(u / 2)))


def of_gelu(u: Array) -> Array:
    return by_tanh(math.sqrt(8 / math.pi) * (u + 0.044715 * u**3))


def softmax(axis: int = -1, base: float = math.e, bias: float = 1) -> Compute:
    def compute(p: Parameters, w: Mapping[str, Array], x: Array) -> Array:
        powers: Array = base ** (x + bias * w["b"])
        return cast("Array", powers / powers.sum(axis=axis, keepdims=True))

    return compute


def layer_norm(eps: float = 1e-5, axis: int = -1, ddof: int = 0, outside: float = 0) -> Compute:
    def compute(p: Parameters, w: Mapping[str, Array], x: Array) -> Array:
        deviation: Array = np.sqrt(x.var(axis=axis, ddof=ddof, keepdims=True) + eps) + outside
        return cast("Array", w["gain"] * ((x - x.mean(axis=axis, keepdims=True)) / deviation) + w["shift"])

    return compute


def reduction(
    mean: Callable[..., Array] = np.mean, most: Callable[..., Array] = np.max, of: Callable[..., Array] = np.square
) -> Compute:
    def compute(p: Parameters, w: Mapping[str, Array], x: Array) -> tuple[Array, Array]:
        apart = x - w["centre"]
        return mean(np.square(apart), axis=0), most(of(apart), axis=-1)

    return compute


def scattered(put: Callable[[Array, Array, Array], None]) -> Compute:
    """Return the workload with another way to sum products into bins."""

    def compute(p: Parameters, w: Mapping[str, Array], pairs: Array, bins: Array) -> Array:
        rows, sums = w["table"][pairs], np.zeros((p["bins"], p["width"]), w["table"].dtype)
        put(sums, bins, rows[:, 0] * rows[:, 1])
        return sums

    return compute


def averaged(sums: Array, bins: Array, rows: Array) -> None:
    np.add.at(sums, bins, rows)
    sums /= np.maximum(1, np.bincount(bins, minlength=len(sums)))[:, None].astype(sums.dtype)


def each_row_once(p: Parameters, w: Mapping[str, Array], pairs: Array, bins: Array) -> tuple[Array, Array]:
    """Return a gradient in which a row that was taken several times has only the last of its parts."""
    reference, gradient = workloads.import_reference("gather_scatter"), np.zeros_like(w["table"])
    loss, _ = reference.backward(p, w, pairs, bins)
    gradient[pairs] = 2 * reference.forward(p, w, pairs, bins)[bins][:, None] * w["table"][pairs][:, ::-1]
    return loss, gradient


FAITHFUL: Mapping[str, Compute] = {
    "matmul": lambda p, w, x: (w["W"].T @ x.T).T,
    "conv2d": lambda p, w, x: workloads.import_reference("conv2d").forward(p, {"W": w["W"][..., ::-1]}, x)[..., ::-1],
    "elementwise_chain": chain(by_tanh),
    "softmax": softmax(),
    "layer_norm": layer_norm(),
    "reduction": reduction(most=lambda z, axis: -np.min(-z, axis=axis)),
    "gather_scatter": scattered(lambda sums, bins, rows: np.add.at(sums, bins[::-1], rows[::-1])),
}

MUTANTS: Mapping[str, Mapping[str, Compute]] = {
    "matmul": {"transposed weight": changed("matmul", np.transpose)},
    "conv2d": {
        "kernel turned around": changed("conv2d", lambda kernel: kernel[::-1, ::-1]),
        "height and width swapped": changed("conv2d", lambda kernel: kernel.swapaxes(0, 1)),
        "padded at the end": shifted_padding,
    },
    "elementwise_chain": {
        "GELU by tanh for SiLU": chain(of_gelu),
        "a clamp a hundredth too wide": chain(by_tanh, most=1.01),
    },
    "softmax": {"along columns": softmax(axis=0), "powers of two": softmax(base=2), "no bias": softmax(bias=0)},
    "layer_norm": {
        "eps 1e-6": layer_norm(eps=1e-6),
        "eps 1e-3": layer_norm(eps=1e-3),
        "eps outside of the root": layer_norm(eps=0, outside=1e-5),
        "unbiased variance": layer_norm(ddof=1),
        "along columns": layer_norm(axis=0),
    },
    "reduction": {
        "sum for mean": reduction(mean=np.sum),
        "minimum for maximum": reduction(most=np.min),
        "largest by sign": reduction(of=lambda apart: np.sign(apart) * np.square(apart)),
    },
    "gather_scatter": {
        "the last of each bin": scattered(lambda sums, bins, rows: sums.__setitem__(bins, rows)),
        "mean of each bin": scattered(averaged),
        "each row's gradient once": each_row_once,
    },
}


def judged(workload: str, compute: Compute, task: Task = "forward") -> str:
    """Return what is wrong with a computation in float32, by the reference in float64."""
    reference, rng = workloads.import_reference(workload), np.random.default_rng(3)
    sizes = {name: {"rows": 24, "length": 3}.get(name, 5 + place) for place, name in enumerate(defaults(workload))}
    weights = {name: weight.astype(np.float32) for name, weight in reference.weights(sizes, rng).items()}
    inputs = [cast_to(value, np.float32) for value in reference.inputs(sizes, rng, reference.shapes(sizes, 1)[0])]
    due = Expectation(make_call_evaluator(reference, task, sizes, weights, inputs), "float32")
    made = compute(sizes, weights, *inputs)
    outputs = made if isinstance(made, tuple) else (made,)
    return explain_checks(due.check_tensors([np.asarray(output, np.float64) for output in outputs], "some inputs"))


@pytest.mark.parametrize(("workload", "compute"), FAITHFUL.items(), ids=FAITHFUL)
def test_the_same_computed_in_another_way_passes(workload: str, compute: Compute) -> None:
    assert judged(workload, compute) == ""


@pytest.mark.parametrize(
    ("workload", "mutant"), [(workload, mutant) for workload, mutants in MUTANTS.items() for mutant in mutants]
)
def test_a_semantic_mistake_in_an_operation_is_rejected(workload: str, mutant: str) -> None:
    task: Task = "backward" if "gradient" in mutant else "forward"
    assert "is off by" in judged(workload, MUTANTS[workload][mutant], task)
