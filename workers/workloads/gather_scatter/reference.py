"""Rows of a table, gathered by indices in pairs, multiplied, and summed into bins, with a hand-derived gradient.

output[bin] = sum over the pairs of that bin of table[left] table[right], loss = sum(output^2) / batch.
pairs is (batch pairs, 2) and selects the rows, bins is (batch pairs,); table is (entries, width), the output
(bins, width).

The indices of each example take every row about equally often, in random order: min(entries, 2 pairs) different rows.
A call need not touch any other row, even if its gradient is a table that is zero elsewhere.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.interfaces import Parameters, Shapes


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    return {"table": rng.standard_normal((parameters["entries"], parameters["width"]))}


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    pairs = batch * parameters["pairs"]
    return (((pairs, 2), (pairs,)),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    entries = parameters["entries"]
    some = rng.permutation(entries)[rng.permutation(np.prod(shapes[0])) % entries]
    return some.reshape(shapes[0]), rng.integers(parameters["bins"], size=shapes[1])


def summed(rows: Array, places: Array, count: int) -> Array:
    """Sum the rows that go to each of `count` places."""
    sums = np.zeros((count, rows.shape[-1]), rows.dtype)
    np.add.at(sums, places, rows)
    return sums


def forward(parameters: Parameters, weights: Mapping[str, Array], pairs: Array, bins: Array) -> Array:
    left, right = weights["table"][pairs[:, 0]], weights["table"][pairs[:, 1]]
    return summed(left * right, bins, parameters["bins"])


def backward(
    parameters: Parameters, weights: Mapping[str, Array], pairs: Array, bins: Array
) -> tuple[Any, dict[str, Array]]:
    rows = weights["table"][pairs]
    output = summed(rows[:, 0] * rows[:, 1], bins, parameters["bins"])
    batch = len(pairs) // parameters["pairs"]
    slopes = (2 / batch * output[bins])[:, None] * rows[:, ::-1]
    gradient = summed(slopes.reshape(-1, rows.shape[-1]), pairs.reshape(-1), parameters["entries"])
    return (output * output).sum() / batch, {"table": gradient}


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    return 0


def elements(parameters: Parameters, batch: int, task: Task) -> int:
    width, indices = parameters["width"], 3 * batch * parameters["pairs"]
    touched = min(parameters["entries"], 2 * parameters["pairs"]) * width
    return indices + touched + (parameters["bins"] * width if task == "forward" else touched)
