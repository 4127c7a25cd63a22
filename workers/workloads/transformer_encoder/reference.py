"""The encoder of a transformer, which classifies sequences.

The blocks are those of BERT (Devlin et al. 2018), but normalised before each part, as is usual now:
x + attention(norm(x)), then x + W_2 gelu(W_1 norm(x) + b_1) + b_2, with exact gelu. After the last block follow one
more norm, the mean over the tokens and a linear layer: the outputs are the logits, loss = cross entropy. Inputs come
embedded: x is (batch, length, width), with width = heads times head_width; labels (batch,). W_qkv is (3 width, width),
W_1 (4 width, width).
"""

from collections.abc import Mapping

import autograd.numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.autodiff import gradients_of
from workers.interfaces import Parameters, Shapes
from workers.references.formulas import attention, cross_entropy, gelu, layer_norm


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    width, classes = parameters["heads"] * parameters["head_width"], parameters["classes"]
    linear = {"qkv": (3 * width, width), "o": (width, width), "1": (4 * width, width), "2": (width, 4 * width)}
    drawn: dict[str, Array] = {}
    for block in range(parameters["layers"]):
        for part, names in enumerate((("qkv", "o"), ("1", "2"))):
            drawn[f"gain_{block}_{part}"] = rng.uniform(0.5, 1.5, width)
            drawn[f"shift_{block}_{part}"] = rng.standard_normal(width) * 0.1
            for name in names:
                after, before = linear[name]
                drawn[f"W_{block}_{name}"] = rng.standard_normal((after, before)) / before**0.5
                drawn[f"b_{block}_{name}"] = rng.standard_normal(after) * 0.1
    drawn["gain"] = rng.uniform(0.5, 1.5, width)
    drawn["shift"] = rng.standard_normal(width) * 0.1
    drawn["W"] = rng.standard_normal((classes, width)) / width**0.5
    drawn["b"] = rng.standard_normal(classes) * 0.1
    return drawn


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    return (((batch, parameters["length"], parameters["heads"] * parameters["head_width"]), (batch,)),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    tokens, labels = shapes
    return rng.standard_normal(tokens), rng.integers(parameters["classes"], size=labels)


def forward(parameters: Parameters, weights: Mapping[str, Array], x: Array, labels: Array) -> Array:
    for block in range(parameters["layers"]):
        gains, shifts = ([weights[f"{name}_{block}_{part}"] for part in (0, 1)] for name in ("gain", "shift"))
        W, b = ({part: weights[f"{name}_{block}_{part}"] for part in ("qkv", "o", "1", "2")} for name in "Wb")
        seen = attention(layer_norm(x, gains[0], shifts[0]), W["qkv"], b["qkv"], parameters["heads"])
        x = x + seen @ W["o"].T + b["o"]
        x = x + gelu(layer_norm(x, gains[1], shifts[1]) @ W["1"].T + b["1"]) @ W["2"].T + b["2"]
    x = np.sum(layer_norm(x, weights["gain"], weights["shift"]), axis=1) / parameters["length"]
    return x @ weights["W"].T + weights["b"]


def loss(parameters: Parameters, weights: Mapping[str, Array], x: Array, labels: Array) -> Array:
    return cross_entropy(forward(parameters, weights, x, labels), labels)


backward = gradients_of(loss)


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    width, length = parameters["heads"] * parameters["head_width"], parameters["length"]
    each = parameters["layers"] * (12 * width**2 + 2 * length * width)
    forward = 2 * batch * (length * each + width * parameters["classes"])
    return forward if task == "forward" else 3 * forward
