"""What people get wrong when they write a workload once more is told from faithful arithmetic in float32.

A mutant is the reference with some of its formulas or constants changed, computed in float32.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import autograd.numpy as np
import pytest

from schemas.job import TRAINING, Task
from tests.workers.conftest import defaults
from workers import images, workloads
from workers.arrays import Array
from workers.training import STEPS
from workers.verify import Evaluate, Expectation, of_call, of_training, verdict


@dataclass(frozen=True)
class Mutant:
    """A workload, what is wrong with it, the names in its reference that are changed for that, and where it shows."""

    workload: str
    name: str
    changes: Mapping[str, Any]
    tasks: tuple[Task, ...] = ("forward", "backward")
    parameters: Mapping[str, int] = field(default_factory=dict)


def average_pooled(x: Array, size: int, stride: int, padding: int) -> Array:
    averaged: Array = np.sum(images.patches(x, size, stride, padding), axis=(3, 4)) / size**2
    return averaged


def shifted(x: Array, kernel: Array, stride: int, padding: int) -> Array:
    """All padding on one side."""
    rim = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    moved = np.roll(np.pad(x, rim, "constant"), padding, axis=(1, 2))
    return images.convolved(moved, kernel, stride, 0)


def unbiased(x: Array) -> tuple[Array, Array, int]:
    number = x.size // x.shape[3]
    mean = np.sum(x, axis=(0, 1, 2)) / number
    return mean, np.sum((x - mean) ** 2, axis=(0, 1, 2)) / (number - 1), number


MUTANTS = (
    Mutant("cnn", "average instead of max pooling", {"pooled": average_pooled}),
    Mutant("cnn", "SAME padding shifted", {"convolved": shifted}),
    Mutant("cnn", "no ReLU", {"relu": lambda x: x}),
    Mutant("resnet", "eps 1e-3", {"EPSILON": 1e-3}),
    Mutant("resnet", "running statistics moved by 0.01", {"MOMENTUM": 0.01}, ("train-sgd",)),
    Mutant("resnet", "variance of the batch divided by one less", {"moments": unbiased}, ("backward",)),
    Mutant("resnet", "no ReLU", {"relu": lambda x: x}),
)

CASES = [
    pytest.param(mutant, task, id=f"{mutant.workload}, {mutant.name}, {task}")
    for mutant in MUTANTS
    for task in mutant.tasks
]


def evaluation(workload: str, task: Task, parameters: Mapping[str, int]) -> Evaluate:
    """What a cell of this workload gives, at its default sizes but for these, with data that float32 holds."""
    reference, rng = workloads.reference(workload), np.random.default_rng(7)
    sizes = defaults(workload) | dict(parameters)
    drawn = {name: rounded(weight) for name, weight in reference.weights(sizes, rng).items()}
    shapes = reference.shapes(sizes, 3)[0]
    sets = [[rounded(value) for value in reference.inputs(sizes, rng, shapes)] for _ in range(STEPS)]
    known = (reference, task, sizes, drawn)
    return of_training(*known, sets) if task in TRAINING else of_call(*known, sets[0])


def rounded(value: Array) -> Array:
    return value.astype(np.float32).astype(np.float64) if value.dtype == np.float64 else value


@pytest.mark.parametrize(("mutant", "task"), CASES)
def test_a_semantic_mistake_is_rejected(mutant: Mutant, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate = evaluation(mutant.workload, task, mutant.parameters)
    due = Expectation(evaluate, "float32")
    for name, value in mutant.changes.items():
        monkeypatch.setattr(workloads.reference(mutant.workload), name, value)
    got, _ = evaluate(np.float32)
    assert "is off by" in verdict(due.check([*got.values()], "some inputs"))
