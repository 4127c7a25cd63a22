"""A decoder that generates one token at a time and caches keys and values, with hand-derived gradients.

Each step looks up the current token, x = E[token], and adds its key W_k x and its value W_v x to the cache K, V. Then
a = softmax(K W_q x / sqrt(width)), y = V^T a (Vaswani et al. 2017, with one head and one layer) and scores =
U (x + W_o y). The token with the highest score comes next. The first current token is the last one of the prompt, whose
other tokens are in the cache from the beginning. The outputs are the scores of each step. loss = mean of
-log softmax(scores) of the picked tokens, which are constants in the backward pass.

E and U are (vocabulary, width), the other weights (width, width); prompt is (batch, prompt), scores (steps, batch,
vocabulary).
"""

from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.interfaces import Parameters, Shapes
from workers.references.generation import name_picks


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    vocabulary, width = parameters["vocabulary"], parameters["width"]
    square = {f"W_{name}": rng.standard_normal((width, width)) / np.sqrt(width) for name in "qkvo"}
    return {
        "E": rng.standard_normal((vocabulary, width)),
        **square,
        "U": rng.standard_normal((vocabulary, width)) / np.sqrt(width),
    }


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    length = parameters["prompt"]
    others = () if parameters["fixed_length"] else (length + 3,)
    return tuple(((batch, tokens),) for tokens in (length, *others))


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    return tuple(rng.integers(parameters["vocabulary"], size=shape) for shape in shapes)


class Pass:
    """A forward pass: all tokens, the scores, and the intermediate values of each step."""

    def __init__(self, parameters: Parameters, weights: Mapping[str, Array], prompt: Array) -> None:
        self.tokens = prompt
        x = weights["E"][prompt[:, :-1]]
        self.keys, self.values = x @ weights["W_k"].T, x @ weights["W_v"].T
        self.root = np.sqrt(x.dtype.type(parameters["width"]))
        self.steps, scores = list[tuple[Array, ...]](), list[Array]()
        for _ in range(parameters["steps"]):
            x = weights["E"][self.tokens[:, -1]]
            self.keys = np.concatenate([self.keys, (x @ weights["W_k"].T)[:, None]], axis=1)
            self.values = np.concatenate([self.values, (x @ weights["W_v"].T)[:, None]], axis=1)
            query = x @ weights["W_q"].T
            shares = softmax((self.keys @ query[:, :, None])[:, :, 0] / self.root)
            seen = (shares[:, None] @ self.values)[:, 0]
            state = x + seen @ weights["W_o"].T
            scores.append(state @ weights["U"].T)
            self.steps.append((x, query, shares, seen, state))
            self.tokens = np.concatenate([self.tokens, scores[-1].argmax(axis=1)[:, None]], axis=1)
        self.scores = np.stack(scores)


def softmax(scores: Array) -> Array:
    # Less the maximum, no power overflows.
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def forward(parameters: Parameters, weights: Mapping[str, Array], prompt: Array) -> Array:
    return Pass(parameters, weights, prompt).scores


def path(parameters: Parameters, weights: Mapping[str, Array], prompt: Array) -> bytes | None:
    """Return the picked tokens, or None if rounding could change one."""
    return name_picks(Pass(parameters, weights, prompt).scores)


def backward(parameters: Parameters, weights: Mapping[str, Array], prompt: Array) -> tuple[Any, dict[str, Array]]:
    done = Pass(parameters, weights, prompt)
    gradients = {name: np.zeros_like(weight) for name, weight in weights.items()}
    by_keys, by_values = np.zeros_like(done.keys), np.zeros_like(done.values)
    by_x = np.zeros_like(done.keys)
    slopes = softmax(done.scores)
    picked = done.scores.argmax(axis=2)[:, :, None]
    of_picked = np.take_along_axis(slopes, picked, axis=2)
    np.put_along_axis(slopes, picked, of_picked - 1, axis=2)
    slopes /= of_picked.size
    for place, slope, (x, query, shares, seen, state) in zip(count(prompt.shape[1]), slopes, done.steps, strict=False):
        gradients["U"] += slope.T @ state
        by_state = slope @ weights["U"]
        gradients["W_o"] += by_state.T @ seen
        by_seen = (by_state @ weights["W_o"])[:, None]
        by_values[:, :place] += shares[:, :, None] @ by_seen
        by_shares = (done.values[:, :place] @ by_seen.swapaxes(1, 2))[:, :, 0]
        by_looks = shares * (by_shares - (shares * by_shares).sum(axis=1, keepdims=True)) / done.root
        by_keys[:, :place] += by_looks[:, :, None] @ query[:, None]
        by_query = (by_looks[:, None] @ done.keys[:, :place])[:, 0]
        gradients["W_q"] += by_query.T @ x
        by_x[:, place - 1] += by_state + by_query @ weights["W_q"]
    known = done.tokens[:, :-1]
    x = weights["E"][known].reshape(known.size, -1)
    gradients["W_k"] += by_keys.reshape(x.shape).T @ x
    gradients["W_v"] += by_values.reshape(x.shape).T @ x
    np.add.at(gradients["E"], known, by_x + by_keys @ weights["W_k"] + by_values @ weights["W_v"])
    return -np.log(of_picked).mean(), gradients


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    vocabulary, width, prompt, steps = (parameters[name] for name in ("vocabulary", "width", "prompt", "steps"))
    tokens = prompt + steps - 1
    looked_over = sum(range(prompt, prompt + steps))
    each = steps * (2 * width**2 + width * vocabulary) + tokens * 2 * width**2 + looked_over * 2 * width
    return 2 * batch * each * (1 if task == "forward" else 3)
