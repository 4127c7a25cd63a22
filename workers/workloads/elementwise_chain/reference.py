"""A chain of elementwise operations, which a compiler can fuse into one pass over memory, with hand-derived gradients.

Each link has a scale and a shift: u = scale x + shift; v = u / (1 + exp(-u)), which is SiLU; c = v clamped to
-1..1; x = 1.5 c - 0.5 c^3, whose slope is 0 where the clamp begins, so that rounding cannot decide a gradient.
loss = mean(output^2). x is (batch, size), as is the output; scale and shift are (length,).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.interfaces import Parameters, Shapes


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    length = parameters["length"]
    return {"scale": 1.5 + 0.25 * rng.standard_normal(length), "shift": 0.25 * rng.standard_normal(length)}


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    return (((batch, parameters["size"]),),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    return tuple(rng.standard_normal(shape) for shape in shapes)


def links(weights: Mapping[str, Array], x: Array) -> tuple[list[tuple[Array, Array, Array, Array]], Array]:
    """Return the input, u, 1 / (1 + exp(-u)) and c of each link, then the output of the last."""
    passed = []
    for scale, shift in zip(weights["scale"], weights["shift"], strict=True):
        u = scale * x + shift
        gate = 1 / (1 + np.exp(-u))
        c = np.clip(u * gate, -1, 1)
        passed.append((x, u, gate, c))
        x = 1.5 * c - 0.5 * c * c * c
    return passed, x


def forward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> Array:
    return links(weights, x)[1]


def backward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> tuple[Any, dict[str, Array]]:
    passed, output = links(weights, x)
    gradients = {name: np.zeros_like(weight) for name, weight in weights.items()}
    upstream = 2 * output / output.size
    for place, (before, u, gate, c) in reversed(list(enumerate(passed))):
        slope = upstream * 1.5 * (1 - c * c) * gate * (1 + u * (1 - gate))  # 1 - c * c is 0 where it is clamped
        gradients["scale"][place] = (slope * before).sum()
        gradients["shift"][place] = slope.sum()
        upstream = slope * weights["scale"][place]
    return (output * output).mean(), gradients


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    return 0
