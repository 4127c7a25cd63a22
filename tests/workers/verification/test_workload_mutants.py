"""Verification tells usual mistakes in porting a workload from faithful arithmetic in float32.

A mutant is the reference with some of its formulas or constants changed, computed in float32.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import autograd.numpy as np
import pytest

from schemas.job import TRAINING_TASKS, Task
from tests.workers.conftest import defaults
from workers import workloads
from workers.arrays import Array
from workers.references import formulas, images
from workers.references.training import STEPS
from workers.verification.tolerance import (
    Evaluate,
    Expectation,
    explain_checks,
    make_call_evaluator,
    make_training_evaluator,
)


@dataclass(frozen=True)
class Mutant:
    """A workload with a mistake: its name, the names in the reference that it changes, and the tasks that show it."""

    workload: str
    name: str
    changes: Mapping[str, Any]
    tasks: tuple[Task, ...] = ("forward", "backward")
    parameters: Mapping[str, int] = field(default_factory=dict)


def average_pooled(x: Array, size: int, stride: int, padding: int) -> Array:
    averaged: Array = np.sum(images.extract_patches(x, size, stride, padding), axis=(3, 4)) / size**2
    return averaged


def shifted(x: Array, kernel: Array, stride: int, padding: int) -> Array:
    """Convolve with all padding on one side."""
    rim = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    moved = np.roll(np.pad(x, rim, "constant"), padding, axis=(1, 2))
    return images.convolve_2d(moved, kernel, stride, 0)


def unbiased(x: Array) -> tuple[Array, Array, int]:
    number = x.size // x.shape[3]
    mean = np.sum(x, axis=(0, 1, 2)) / number
    return mean, np.sum((x - mean) ** 2, axis=(0, 1, 2)) / (number - 1), number


def without_bias(weights: Mapping[str, Array], x: Array) -> tuple[Array, Array, Array, Array]:
    passed = original("autoencoder", "passed")
    return passed({**weights, "c_1": 0 * weights["c_1"]}, x)  # type: ignore[no-any-return]


def averaged(parameters: Mapping[str, int], *known: Array) -> Iterator[Array]:
    first, *bags = original("embedding_bag", "vectors")(parameters, *known)
    yield from (first, *(bag / parameters["bag"] for bag in bags))


def with_themselves(parameters: Mapping[str, int]) -> list[tuple[int, int]]:
    """Return as many pairs, but shifted by one, so that some pair a vector with itself."""
    known = original("embedding_bag", "pairs")(parameters)
    return [(one, other - 1) for one, other in known]


def wide_norm(x: Array, gain: Array, shift: Array) -> Array:
    apart = x - np.mean(x, axis=-1, keepdims=True)
    return apart / np.sqrt(np.mean(apart**2, axis=-1, keepdims=True) + 1e-3) * gain + shift  # type: ignore[no-any-return]


def unscaled(x: Array, weight: Array, bias: Array, heads: int) -> Array:
    third, root = len(weight) // 3, (x.shape[2] // heads) ** 0.5
    rows = np.where(np.arange(len(weight)) < third, root, 1).astype(x.dtype)
    return formulas.attention(x, weight * rows[:, None], bias * rows, heads)


def original(workload: str, name: str) -> Any:  # noqa: ANN401 (any function of a reference)
    """Return a function of a reference as it is written there."""
    return ORIGINALS[workload, name]


ORIGINALS = {
    (workload, name): getattr(workloads.import_reference(workload), name)
    for workload, name in (("autoencoder", "passed"), ("embedding_bag", "vectors"), ("embedding_bag", "pairs"))
}

MUTANTS = (
    Mutant("cnn", "average instead of max pooling", {"max_pool_2d": average_pooled}),
    Mutant("cnn", "SAME padding shifted", {"convolve_2d": shifted}),
    Mutant("cnn", "no ReLU", {"relu": lambda x: x}),
    Mutant("resnet", "eps 1e-3", {"EPSILON": 1e-3}),
    Mutant("resnet", "running statistics moved by 0.01", {"MOMENTUM": 0.01}, ("train-sgd",)),
    Mutant("resnet", "variance of the batch divided by one less", {"moments": unbiased}, ("backward",)),
    Mutant("resnet", "no ReLU", {"relu": lambda x: x}),
    Mutant("autoencoder", "no bias on the way back", {"passed": without_bias}, ("forward",)),
    Mutant("embedding_bag", "mean of a bag for its sum", {"vectors": averaged}),
    Mutant("embedding_bag", "pairs with themselves", {"pairs": with_themselves}, ("forward",)),
    Mutant("transformer_encoder", "GELU by tanh for the exact one", {"gelu": formulas.gelu_by_tanh}),
    Mutant("transformer_encoder", "eps 1e-3", {"layer_norm": wide_norm}),
    Mutant("transformer_encoder", "no root of the head's width", {"attention": unscaled}),
    Mutant("gpt", "exact GELU for the one by tanh", {"gelu_by_tanh": formulas.gelu}),
    Mutant("gpt", "no mask", {"attention": lambda *known: formulas.attention(*known[:4])}),
    Mutant("lstm_lm", "a hard sigmoid", {"sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1)}),
)

CASES = [
    pytest.param(mutant, task, id=f"{mutant.workload}, {mutant.name}, {task}")
    for mutant in MUTANTS
    for task in mutant.tasks
]


def evaluation(workload: str, task: Task, parameters: Mapping[str, int]) -> Evaluate:
    """Return the evaluation of a cell, at its default sizes but for these, with data that float32 holds."""
    reference, rng = workloads.import_reference(workload), np.random.default_rng(7)
    sizes = defaults(workload) | dict(parameters)
    drawn = {name: rounded(weight) for name, weight in reference.weights(sizes, rng).items()}
    shapes = reference.shapes(sizes, 3)[0]
    sets = [[rounded(value) for value in reference.inputs(sizes, rng, shapes)] for _ in range(STEPS)]
    known = (reference, task, sizes, drawn)
    return make_training_evaluator(*known, sets) if task in TRAINING_TASKS else make_call_evaluator(*known, sets[0])


def rounded(value: Array) -> Array:
    return value.astype(np.float32).astype(np.float64) if value.dtype == np.float64 else value


@pytest.mark.parametrize(("mutant", "task"), CASES)
def test_a_semantic_mistake_is_rejected(mutant: Mutant, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate = evaluation(mutant.workload, task, mutant.parameters)
    due = Expectation(evaluate, "float32")
    with monkeypatch.context() as changed:
        for name, value in mutant.changes.items():
            changed.setattr(workloads.import_reference(mutant.workload), name, value)
        got, _ = evaluate(np.float32)
    assert "is off by" in explain_checks(due.check_tensors([*got.values()], "some inputs"))
