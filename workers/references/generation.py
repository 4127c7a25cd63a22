"""Loops of a reference that computes one call of a model which generates."""

from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from workers.arrays import Array
from workers.interfaces import Parameters, Reference
from workers.outputs import flatten_outputs

# The highest score is above the next by this share of the largest of all, so that no rounding picks another token.
MARGIN = 1e-4


def run_loop(
    forward: Callable[..., Any], calls: int, parameters: Parameters, weights: Mapping[str, Array], *inputs: Array
) -> tuple[Array, ...]:
    """Call a forward pass several times, and return the first output of each call.

    Its other outputs are the inputs of the next call.
    """
    made, following = list[Array](), [*inputs]
    for _ in range(calls):
        result, *following = flatten_outputs(forward(parameters, weights, *following))
        made.append(result)
    return tuple(made)


def repeat_reference(reference: Reference, calls: int) -> Reference:
    """Return a reference whose forward pass is a loop of so many calls; a single call needs none."""
    if calls == 1:
        return reference

    def forward(parameters: Parameters, weights: Mapping[str, Array], *inputs: Array) -> tuple[Array, ...]:
        return run_loop(reference.forward, calls, parameters, weights, *inputs)

    return cast("Reference", SimpleNamespace(**{**vars(reference), "forward": forward}))


def name_picks(scores: Iterable[Array]) -> bytes | None:
    """Return the tokens with the highest scores in each step, or None if rounding could change one.

    The scores of a step are (batch, vocabulary).
    """
    found = np.stack([*scores])
    second, first = np.moveaxis(np.sort(found, axis=2)[:, :, -2:], 2, 0)
    is_clear = np.all(first - second > MARGIN * np.abs(found).max())
    return found.argmax(axis=2).tobytes() if is_clear else None
