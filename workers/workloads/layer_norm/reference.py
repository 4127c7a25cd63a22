"""Layer normalisation along rows, with hand-derived gradients.

output = gain (x - mean) / sqrt(variance + 1e-5) + shift, with the mean and the biased variance of each row;
loss = mean over rows of the sum of output^2. x is (batch rows, width), as is the output; gain and shift are (width,).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.interfaces import Parameters, Shapes

EPSILON = 1e-5


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    width = parameters["width"]
    return {"gain": 1 + 0.25 * rng.standard_normal(width), "shift": 0.25 * rng.standard_normal(width)}


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    return (((batch * parameters["rows"], parameters["width"]),),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    return tuple(rng.standard_normal(shape) for shape in shapes)


def normalised(x: Array) -> Array:
    """Normalise each row to a mean of 0 and, but for the epsilon, a variance of 1."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + EPSILON)


def forward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> Array:
    return weights["gain"] * normalised(x) + weights["shift"]


def backward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> tuple[Any, dict[str, Array]]:
    rows = normalised(x)
    output = weights["gain"] * rows + weights["shift"]
    upstream = 2 * output / len(x)
    gradients = {"gain": (upstream * rows).sum(axis=0), "shift": upstream.sum(axis=0)}
    return (output * output).sum(axis=-1).mean(), gradients


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    return 0
