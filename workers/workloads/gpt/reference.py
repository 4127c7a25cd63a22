"""A generative transformer, which predicts each next token from those before it.

As in GPT-2 (Radford et al. 2019), embeddings of token and position are added, x = E[token] + P[position]. Each block
computes x + attention(norm(x)), in which no token sees later ones, then x + W_2 gelu(W_1 norm(x) + b_1) + b_2, with
gelu by tanh. After one more norm, the scores are E x, with the table of the embedding. The outputs are the scores; loss
= mean cross entropy of each next token.

tokens is (batch, length + 1), of which the last is only predicted; E is (vocabulary, width), P (length, width),
with width = heads times head_width; W_qkv is (3 width, width), W_1 (4 width, width); scores (batch, length,
vocabulary).
"""

from collections.abc import Mapping

import autograd.numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.autodiff import gradients_of
from workers.interfaces import Parameters, Shapes
from workers.references.formulas import attention, cross_entropy, gelu_by_tanh, layer_norm


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    width = parameters["heads"] * parameters["head_width"]
    linear = {"qkv": (3 * width, width), "o": (width, width), "1": (4 * width, width), "2": (width, 4 * width)}
    drawn: dict[str, Array] = {
        "E": rng.standard_normal((parameters["vocabulary"], width)) / width**0.5,
        "P": rng.standard_normal((parameters["length"], width)) / width**0.5,
    }
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
    return drawn


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    return (((batch, parameters["length"] + 1),),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    return tuple(rng.integers(parameters["vocabulary"], size=shape) for shape in shapes)


def forward(parameters: Parameters, weights: Mapping[str, Array], tokens: Array) -> Array:
    x, length = weights["E"][tokens[:, :-1]] + weights["P"], parameters["length"]
    mask = np.where(np.tri(length, dtype=bool), 0, -np.inf).astype(weights["E"].dtype)
    for block in range(parameters["layers"]):
        gains, shifts = ([weights[f"{name}_{block}_{part}"] for part in (0, 1)] for name in ("gain", "shift"))
        W, b = ({part: weights[f"{name}_{block}_{part}"] for part in ("qkv", "o", "1", "2")} for name in "Wb")
        seen = attention(layer_norm(x, gains[0], shifts[0]), W["qkv"], b["qkv"], parameters["heads"], mask)
        x = x + seen @ W["o"].T + b["o"]
        x = x + gelu_by_tanh(layer_norm(x, gains[1], shifts[1]) @ W["1"].T + b["1"]) @ W["2"].T + b["2"]
    return layer_norm(x, weights["gain"], weights["shift"]) @ weights["E"].T


def loss(parameters: Parameters, weights: Mapping[str, Array], tokens: Array) -> Array:
    return cross_entropy(forward(parameters, weights, tokens), tokens[:, 1:])


backward = gradients_of(loss)


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    """Count attention to earlier tokens alone, because a mask removes the rest."""
    width, length = parameters["heads"] * parameters["head_width"], parameters["length"]
    each = parameters["layers"] * (12 * width**2 + (length + 1) * width) + width * parameters["vocabulary"]
    return 2 * batch * length * each * (1 if task == "forward" else 3)
