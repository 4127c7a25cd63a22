"""An autoencoder whose decoder reuses the encoder's weights (tied weights), with hand-derived gradients.

h = relu(W_0 x + b_0), z = W_1 h + b_1; back, g = relu(W_1^T z + c_1), y = W_0^T g + c_0. The output is y; loss =
mean((y - x)^2). x is (batch, input), W_0 (hidden, input), W_1 (code, hidden).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.interfaces import Parameters, Shapes


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    size, hidden, code = parameters["input"], parameters["hidden"], parameters["code"]
    return {
        "W_0": rng.standard_normal((hidden, size)) / np.sqrt(size),
        "b_0": rng.standard_normal(hidden) * 0.1,
        "W_1": rng.standard_normal((code, hidden)) / np.sqrt(hidden),
        "b_1": rng.standard_normal(code) * 0.1,
        "c_1": 1 + rng.standard_normal(hidden) * 0.1,
        "c_0": rng.standard_normal(size) * 0.1,
    }


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    return (((batch, parameters["input"]),),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    return tuple(rng.standard_normal(shape) for shape in shapes)


def passed(weights: Mapping[str, Array], x: Array) -> tuple[Array, Array, Array, Array]:
    """Return the hidden layer, the code, the hidden layer of the decoder, and the output."""
    h = np.maximum(x @ weights["W_0"].T + weights["b_0"], 0)
    z = h @ weights["W_1"].T + weights["b_1"]
    g = np.maximum(z @ weights["W_1"] + weights["c_1"], 0)
    return h, z, g, g @ weights["W_0"] + weights["c_0"]


def forward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> Array:
    return passed(weights, x)[-1]


def backward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> tuple[Any, dict[str, Array]]:
    h, z, g, y = passed(weights, x)
    by_y = 2 * (y - x) / y.size
    by_g = (by_y @ weights["W_0"].T) * (g > 0)
    by_z = by_g @ weights["W_1"].T
    by_h = (by_z @ weights["W_1"]) * (h > 0)
    return ((y - x) ** 2).mean(), {
        "W_0": by_h.T @ x + g.T @ by_y,
        "b_0": by_h.sum(axis=0),
        "W_1": by_z.T @ h + z.T @ by_g,
        "b_1": by_z.sum(axis=0),
        "c_1": by_g.sum(axis=0),
        "c_0": by_y.sum(axis=0),
    }


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    outer = 2 * batch * parameters["input"] * parameters["hidden"]
    inner = 2 * batch * parameters["hidden"] * parameters["code"]
    forward = 2 * (outer + inner)
    return forward if task == "forward" else 3 * forward - outer
