"""One step of a recurrent network, with hand-derived gradients.

h2h = W_h prev_h^T, i2h = W_x x^T, next_h = tanh(h2h + i2h), loss = sum(next_h).
W_h is (hidden, hidden), W_x (hidden, input), x (batch, input), prev_h (batch, hidden), next_h (hidden, batch).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.interfaces import Parameters, Shapes


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    hidden, size = parameters["hidden"], parameters["input"]
    return {
        "W_h": rng.standard_normal((hidden, hidden)) / np.sqrt(hidden),
        "W_x": rng.standard_normal((hidden, size)) / np.sqrt(size),
    }


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    return (((batch, parameters["input"]), (batch, parameters["hidden"])),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    return tuple(rng.standard_normal(shape) for shape in shapes)


def forward(parameters: Parameters, weights: Mapping[str, Array], x: Array, prev_h: Array) -> Array:
    h2h = weights["W_h"] @ prev_h.T
    i2h = weights["W_x"] @ x.T
    return np.tanh(h2h + i2h)


def backward(
    parameters: Parameters, weights: Mapping[str, Array], x: Array, prev_h: Array
) -> tuple[Any, dict[str, Array]]:
    next_h = forward(parameters, weights, x, prev_h)
    slope = 1 - next_h * next_h
    return next_h.sum(), {"W_h": slope @ prev_h, "W_x": slope @ x}


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    hidden = parameters["hidden"]
    forward = 2 * batch * hidden * (hidden + parameters["input"])
    return forward if task == "forward" else 2 * forward
