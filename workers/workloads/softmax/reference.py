"""Softmax along rows, after a bias is added, with a hand-derived gradient.

output = softmax(x + b) along the last axis, loss = mean((width output)^2), whose size does not depend on the width.
x is (batch rows, width), as is the output; b is (width,).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.interfaces import Parameters, Shapes


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    return {"b": rng.standard_normal(parameters["width"])}


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    return (((batch * parameters["rows"], parameters["width"]),),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    return tuple(rng.standard_normal(shape) for shape in shapes)


def forward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> Array:
    logits = x + weights["b"]
    # Less the maximum, no power overflows.
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def backward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> tuple[Any, dict[str, Array]]:
    output, width = forward(parameters, weights, x), parameters["width"]
    scaled = width * output
    upstream = 2 * width * scaled / scaled.size
    slope = output * (upstream - (upstream * output).sum(axis=-1, keepdims=True))
    return (scaled * scaled).mean(), {"b": slope.sum(axis=0)}


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    return 0
