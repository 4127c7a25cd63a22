"""The transformer of `gpt`, called once for each token by a loop that is no part of the model.

A call takes tokens and the cache: the keys and values of all tokens before them, in every block. It returns the scores
of the next token, that token, and the longer cache. The first call takes the prompt, each later one the token of the
call before it. No token sees later ones.

tokens is (batch, prompt); keys and values are (layers, batch, heads, context, head_width), scores (batch, vocabulary).
 P has a row for each position.
"""

from collections.abc import Mapping

import numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.interfaces import Parameters, Shapes
from workers.references.formulas import gelu_by_tanh, layer_norm
from workers.references.generation import name_picks, run_loop
from workers.workloads.decode.reference import softmax
from workers.workloads.decode_steps.reference import inputs
from workers.workloads.gpt import reference as gpt

__all__ = ["inputs"]

# The prompt and the context of the inputs that are verified beside the timed ones are longer by so much.
MORE_TOKENS, MORE_CONTEXT = 3, 2


def weights(parameters: Parameters, rng: np.random.Generator) -> dict[str, Array]:
    longest = parameters["context"] + MORE_CONTEXT + parameters["prompt"] + MORE_TOKENS + parameters["steps"] - 1
    return gpt.weights({**parameters, "length": longest}, rng)


def shapes(parameters: Parameters, batch: int) -> tuple[Shapes, ...]:
    prompt, context = parameters["prompt"], parameters["context"]
    others = [] if parameters["fixed_length"] else [(prompt + MORE_TOKENS, context + MORE_CONTEXT)]
    layers, heads, width = (parameters[name] for name in ("layers", "heads", "head_width"))
    return tuple(
        ((batch, tokens), *[(layers, batch, heads, cached, width)] * 2)
        for tokens, cached in ((prompt, context), *others)
    )


def forward(
    parameters: Parameters, weights: Mapping[str, Array], tokens: Array, keys: Array, values: Array
) -> tuple[Array, ...]:
    (batch, new), known, longer = tokens.shape, keys.shape[3], list[tuple[Array, Array]]()
    x = weights["E"][tokens] + weights["P"][known : known + new]
    is_hidden = ~np.tri(new, known + new, known, dtype=bool)
    for block in range(parameters["layers"]):
        gains, shifts = ([weights[f"{name}_{block}_{part}"] for part in (0, 1)] for name in ("gain", "shift"))
        W, b = ({part: weights[f"{name}_{block}_{part}"] for part in ("qkv", "o", "1", "2")} for name in "Wb")
        made = layer_norm(x, gains[0], shifts[0]) @ W["qkv"].T + b["qkv"]
        q, k, v = np.moveaxis(made.reshape(batch, new, 3, parameters["heads"], -1), (2, 3), (0, 2))
        longer.append((np.concatenate([keys[block], k], axis=2), np.concatenate([values[block], v], axis=2)))
        looks = q @ np.swapaxes(longer[-1][0], 2, 3) / np.sqrt(x.dtype.type(parameters["head_width"]))
        seen = softmax(np.where(is_hidden, -np.inf, looks).astype(x.dtype)) @ longer[-1][1]
        x = x + np.moveaxis(seen, 1, 2).reshape(x.shape) @ W["o"].T + b["o"]
        x = x + gelu_by_tanh(layer_norm(x, gains[1], shifts[1]) @ W["1"].T + b["1"]) @ W["2"].T + b["2"]
    scores = layer_norm(x[:, -1], weights["gain"], weights["shift"]) @ weights["E"].T
    return scores, scores.argmax(axis=1)[:, None], *map(np.stack, zip(*longer, strict=True))


def path(parameters: Parameters, weights: Mapping[str, Array], *inputs: Array) -> bytes | None:
    """Return the picked tokens, or None if rounding could change one."""
    return name_picks(run_loop(forward, parameters["steps"], parameters, weights, *inputs))


def flops(parameters: Parameters, batch: int, task: Task) -> int:
    """Count attention to earlier tokens alone, because a mask removes the rest."""
    width, steps = parameters["heads"] * parameters["head_width"], parameters["steps"]
    context, tokens = parameters["context"], parameters["prompt"] + steps - 1
    seen = sum(range(context + 1, context + tokens + 1))
    each = parameters["layers"] * (tokens * 12 * width**2 + seen * 2 * width) + steps * width * parameters["vocabulary"]
    return 2 * batch * each
