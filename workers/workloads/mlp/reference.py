"""A plain static network: `depth` linear layers with ReLU between them, and hand-derived gradients.

x is (batch, input); layer i has W_i (out, in) and b_i (out); loss = mean(output^2).
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.interfaces import Parameters, Shapes


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    inner = [parameters["width"]] * (parameters["depth"] - 1)
    widths = [parameters["input"], *inner, parameters["output"]]
    drawn: dict[str, Array] = {}
    for layer, (before, after) in enumerate(pairwise(widths)):
        drawn[f"W_{layer}"] = rng.standard_normal((after, before)) * np.sqrt(2 / before)
        drawn[f"b_{layer}"] = rng.standard_normal(after) * 0.1
    return drawn


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    return (((batch, parameters["input"]),),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    return tuple(rng.standard_normal(shape) for shape in shapes)


def layers(weights: Mapping[str, Array], x: Array) -> list[Array]:
    """Return the input of each layer, then the output of the last."""
    depth = len(weights) // 2
    passed = [x]
    for layer in range(depth):
        x = passed[-1] @ weights[f"W_{layer}"].T + weights[f"b_{layer}"]
        passed.append(np.maximum(x, 0) if layer < depth - 1 else x)
    return passed


def forward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> Array:
    return layers(weights, x)[-1]


def backward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> tuple[Any, dict[str, Array]]:
    passed = layers(weights, x)
    output = passed[-1]
    gradients: dict[str, Array] = {}
    upstream = 2 * output / output.size
    for layer in reversed(range(len(passed) - 1)):
        gradients[f"W_{layer}"] = upstream.T @ passed[layer]
        gradients[f"b_{layer}"] = upstream.sum(axis=0)
        if layer > 0:
            upstream = (upstream @ weights[f"W_{layer}"]) * (passed[layer] > 0)
    return (output * output).mean(), {name: gradients[name] for name in weights}


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    widths = [parameters["input"], *[parameters["width"]] * (parameters["depth"] - 1), parameters["output"]]
    products = [2 * batch * before * after for before, after in pairwise(widths)]
    return sum(products) if task == "forward" else 3 * sum(products) - products[0]
