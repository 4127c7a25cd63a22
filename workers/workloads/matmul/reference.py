"""One matrix product, with a hand-derived gradient.

output = x W, loss = mean(output^2). x is (batch rows, size), W (size, size), the output as x.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.interfaces import Parameters, Shapes


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    size = parameters["size"]
    return {"W": rng.standard_normal((size, size)) / np.sqrt(size)}


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    return (((batch * parameters["rows"], parameters["size"]),),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    return tuple(rng.standard_normal(shape) for shape in shapes)


def forward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> Array:
    return x @ weights["W"]


def backward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> tuple[Any, dict[str, Array]]:
    output = forward(parameters, weights, x)
    return (output * output).mean(), {"W": x.T @ (2 * output / output.size)}


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    product = 2 * batch * parameters["rows"] * parameters["size"] ** 2
    return product if task == "forward" else 2 * product
