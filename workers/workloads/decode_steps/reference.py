"""The decoder of `decode`, called once for each token by a loop that is no part of the model.

A call takes tokens and the cache of the keys and values of those before them. It returns the scores of the next token,
that token, and the longer cache. The first call takes the prompt, each later one the token of the call before it.

tokens is (batch, prompt), keys and values (batch, context, width), scores (batch, vocabulary).
"""

from collections.abc import Mapping

import numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.interfaces import Parameters, Shapes
from workers.references.generation import name_picks, run_loop
from workers.workloads.decode.reference import softmax, weights

__all__ = ["weights"]


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    prompt, context, width = (parameters[name] for name in ("prompt", "context", "width"))
    sizes = ((prompt, context), *([] if parameters["fixed_length"] else [(prompt + 3, context + 2)]))
    return tuple(((batch, tokens), *[(batch, cached, width)] * 2) for tokens, cached in sizes)


def inputs(parameters: Parameters, rng: np.random.Generator, shapes: Shapes) -> tuple[Array, ...]:
    tokens, *cache = shapes
    return rng.integers(parameters["vocabulary"], size=tokens), *(rng.standard_normal(shape) for shape in cache)


def forward(
    parameters: Parameters, weights: Mapping[str, Array], tokens: Array, keys: Array, values: Array
) -> tuple[Array, ...]:
    x, root = weights["E"][tokens], np.sqrt(keys.dtype.type(parameters["width"]))
    keys = np.concatenate([keys, x @ weights["W_k"].T], axis=1)
    values = np.concatenate([values, x @ weights["W_v"].T], axis=1)
    last = x[:, -1]
    shares = softmax((keys @ (last @ weights["W_q"].T)[:, :, None])[:, :, 0] / root)
    seen = (shares[:, None] @ values)[:, 0]
    scores = (last + seen @ weights["W_o"].T) @ weights["U"].T
    return scores, scores.argmax(axis=1)[:, None], keys, values


def path(parameters: Parameters, weights: Mapping[str, Array], *inputs: Array) -> bytes | None:
    """Return the picked tokens, or None if rounding could change one."""
    return name_picks(run_loop(forward, parameters["steps"], parameters, weights, *inputs))


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    vocabulary, width, prompt, context = (parameters[name] for name in ("vocabulary", "width", "prompt", "context"))
    steps, known = parameters["steps"], context + prompt
    looked_over = sum(range(known, known + steps))
    each = steps * (2 * width**2 + width * vocabulary) + (prompt + steps - 1) * 2 * width**2 + looked_over * 2 * width
    return 2 * batch * each
