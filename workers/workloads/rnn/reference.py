"""A recurrent network along a sequence whose length the input decides, with hand-derived gradients.

h_t = tanh(W_h h_(t-1) + W_x x_t), in rows: h is (batch, hidden) and xs is (length, batch, input); the output is the
last state and loss = sum(last state). The gradients are backpropagated through time.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.interfaces import Parameters, Shapes
from workers.workloads.rnn_cell.reference import inputs, weights

__all__ = ["backward", "flops", "forward", "inputs", "shapes", "weights"]


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    length = parameters["length"]
    others = () if parameters["fixed_length"] else (length + 3, max(1, length // 2))
    hidden = (batch, parameters["hidden"])
    return tuple(((steps, batch, parameters["input"]), hidden) for steps in (length, *others))


def states(weights: Mapping[str, Array], xs: Array, h: Array) -> list[Array]:
    """Return the first state and the one after each step."""
    passed = [h]
    for x in xs:
        passed.append(np.tanh(passed[-1] @ weights["W_h"].T + x @ weights["W_x"].T))
    return passed


def forward(parameters: Parameters, weights: Mapping[str, Array], xs: Array, h: Array) -> Array:
    return states(weights, xs, h)[-1]


def backward(parameters: Parameters, weights: Mapping[str, Array], xs: Array, h: Array) -> tuple[Any, dict[str, Array]]:
    passed = states(weights, xs, h)
    gradients = {name: np.zeros_like(weight) for name, weight in weights.items()}
    upstream = np.ones_like(passed[-1])
    for x, before, after in zip(xs[::-1], passed[-2::-1], passed[::-1], strict=False):
        slope = upstream * (1 - after * after)
        gradients["W_h"] += slope.T @ before
        gradients["W_x"] += slope.T @ x
        upstream = slope @ weights["W_h"]
    return passed[-1].sum(), gradients


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    hidden, steps = parameters["hidden"], parameters["length"]
    forward = 2 * batch * hidden * (hidden + parameters["input"]) * steps
    return forward if task == "forward" else 2 * forward + 2 * batch * hidden**2 * (steps - 1)
