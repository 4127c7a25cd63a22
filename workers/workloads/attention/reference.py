"""One layer of self-attention with several heads (Vaswani et al. 2017).

x is (batch, length, width), with width = heads times head_width. W is (3 width, width): the rows of all queries, then
of all keys, then of all values; b is (3 width,). Each head computes softmax(q k^T / sqrt(head_width)) v, and the output
has the heads side by side: (batch, length, width). loss = mean(output^2).
"""

from collections.abc import Mapping

import autograd.numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.autodiff import gradients_of
from workers.interfaces import Parameters, Shapes
from workers.references import formulas


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    width = parameters["heads"] * parameters["head_width"]
    return {"W": rng.standard_normal((3 * width, width)) / width**0.5, "b": rng.standard_normal(3 * width) * 0.1}


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    return (((batch, parameters["length"], parameters["heads"] * parameters["head_width"]),),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    return tuple(rng.standard_normal(shape) for shape in shapes)


def forward(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> Array:
    return formulas.attention(x, weights["W"], weights["b"], parameters["heads"])


def loss(parameters: Parameters, weights: Mapping[str, Array], x: Array) -> Array:
    output = forward(parameters, weights, x)
    return formulas.mean(output * output)


backward = gradients_of(loss)


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    width, length = parameters["heads"] * parameters["head_width"], parameters["length"]
    projected = 2 * batch * length * 3 * width**2
    seen = 2 * batch * length * 2 * length * width
    return projected + seen if task == "forward" else 2 * projected + 3 * seen
