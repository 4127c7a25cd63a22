"""The stream of input shapes for `--shapes stream`."""

import numpy as np

from workers.interfaces import Parameters

# The shapes that come in turn in a stream: more than PyTorch's compiler compiles one function for.
STREAM_LENGTH = 12


LENGTH, FIXED_LENGTH = "length", "fixed_length"


def draw_stream(parameters: Parameters, batch: int, rng: np.random.Generator) -> list[tuple[Parameters, int]]:
    """Return parameters and batch of each shape of a stream, in random order.

    The length varies where the inputs decide one, and the batch elsewhere. It runs from half to one and a half times
    the requested size, and further if these are not enough numbers.
    """
    if LENGTH in parameters and not parameters.get(FIXED_LENGTH, 0):
        sizes = spread_sizes(parameters[LENGTH], least=2)
        found = [({**parameters, LENGTH: size}, batch) for size in sizes]
    else:
        found = [(dict(parameters), size) for size in spread_sizes(batch, least=1)]
    return [found[place] for place in rng.permutation(STREAM_LENGTH)]


def spread_sizes(size: int, least: int) -> list[int]:
    """Return different sizes around one, as evenly spaced as whole numbers can be."""
    low = max(least, size // 2)
    high = max(low + STREAM_LENGTH - 1, 3 * size // 2)
    return [low + round((high - low) * place / (STREAM_LENGTH - 1)) for place in range(STREAM_LENGTH)]
