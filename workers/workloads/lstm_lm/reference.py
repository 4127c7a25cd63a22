"""A language model: embedded tokens, one LSTM along them, and the scores of each next token.

x_t = E[token_t]; i, f, g, o = W_x x_t + W_h h_(t-1) + b, in this order; c_t = sigmoid(f) c_(t-1) + sigmoid(i) tanh(g)
and h_t = sigmoid(o) tanh(c_t), from zeros (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000).
The outputs are the scores W_o h_t + b_o; loss = mean cross entropy of each next token.

tokens is (length + 1, batch), of which the last is only predicted; E is (vocabulary, width), W_x (4 hidden,
width), W_h (4 hidden, hidden), W_o (vocabulary, hidden), scores (length, batch, vocabulary).
"""

from collections.abc import Mapping

import autograd.numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.autodiff import gradients_of
from workers.interfaces import Parameters, Shapes
from workers.references.formulas import cross_entropy


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    vocabulary, width, hidden = parameters["vocabulary"], parameters["width"], parameters["hidden"]
    return {
        "E": rng.standard_normal((vocabulary, width)),
        "W_x": rng.standard_normal((4 * hidden, width)) / width**0.5,
        "W_h": rng.standard_normal((4 * hidden, hidden)) / hidden**0.5,
        "b": rng.standard_normal(4 * hidden) * 0.1,
        "W_o": rng.standard_normal((vocabulary, hidden)) / hidden**0.5,
        "b_o": rng.standard_normal(vocabulary) * 0.1,
    }


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    return (((parameters["length"] + 1, batch),),)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    return tuple(rng.integers(parameters["vocabulary"], size=shape) for shape in shapes)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def forward(parameters: Parameters, weights: Mapping[str, Array], tokens: Array) -> Array:
    driven = weights["E"][tokens[:-1]] @ weights["W_x"].T + weights["b"]
    h = c = np.zeros((tokens.shape[1], parameters["hidden"]), driven.dtype)
    states = []
    for step in range(parameters["length"]):
        i, f, g, o = np.split(driven[step] + h @ weights["W_h"].T, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.stack(states) @ weights["W_o"].T + weights["b_o"]


def loss(parameters: Parameters, weights: Mapping[str, Array], tokens: Array) -> Array:
    return cross_entropy(forward(parameters, weights, tokens), tokens[1:])


backward = gradients_of(loss)


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    """Count all products but that of the first state, which is zero."""
    vocabulary, width, hidden = parameters["vocabulary"], parameters["width"], parameters["hidden"]
    length = parameters["length"]
    each = length * (4 * hidden * width + hidden * vocabulary) + (length - 1) * 4 * hidden * hidden
    return 2 * batch * each * (1 if task == "forward" else 3)


def elements(parameters: Parameters, batch: int, task: Task) -> int:
    """Count all but the table, of which one row may be enough; its gradient is as large as the table."""
    sizes = {name: weight.size for name, weight in weights(parameters, np.random.default_rng(0)).items()}
    tokens = parameters["length"] * batch
    taken = sum(sizes.values()) - sizes["E"] + parameters["width"] + tokens + batch
    return taken + (tokens * parameters["vocabulary"] if task == "forward" else 1 + sum(sizes.values()))
