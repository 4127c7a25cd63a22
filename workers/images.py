"""Images with their channels before their rows, as the tuning `channels-first` has them.

A workload's images are (batch, height, width, channels). With this tuning, its inputs of four dimensions are handed
over as (batch, channels, height, width), and its outputs of four dimensions come back so. Its `Model` is asked to
compute in that order by a third argument, `channels_first`. Weights keep the reference's order.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from schemas.tuning import Tuning
from workers.arrays import Array
from workers.errors import Unsupported
from workers.interfaces import Shape

CHANNELS_FIRST: Tuning = "channels-first"
ARGUMENT = "channels_first"


def arrange_images(values: Sequence[Array], tuning: Tuning) -> list[Array]:
    """Return inputs as a cell with this tuning takes them; what is no image stays as it is."""
    if tuning != CHANNELS_FIRST:
        return [*values]
    return [np.ascontiguousarray(np.moveaxis(value, -1, 1)) if value.ndim == 4 else value for value in values]


def restore_images(outputs: Sequence[Array], tuning: Tuning) -> list[Array]:
    """Return the outputs of a forward pass in the reference's order of axes."""
    if tuning != CHANNELS_FIRST:
        return [*outputs]
    return [np.moveaxis(output, 1, -1) if output.ndim == 4 else output for output in outputs]


def arrange_shapes(shapes: Sequence[Shape], tuning: Tuning) -> list[Shape]:
    """Return the shapes of inputs as a cell with this tuning takes them."""
    is_first = tuning == CHANNELS_FIRST
    return [(shape[0], shape[3], *shape[1:3]) if is_first and len(shape) == 4 else shape for shape in shapes]


def choose_arguments(kind: type[Any], tuning: Tuning) -> dict[str, bool]:
    """Return the arguments that a class `Model` gets for a tuning.

    Raises:
        Unsupported: it computes in one order of axes alone.
    """
    if tuning != CHANNELS_FIRST:
        return {}
    if ARGUMENT not in inspect.signature(kind).parameters:
        raise Unsupported(f"its Model takes no argument {ARGUMENT}, so its images have one order of axes")
    return {ARGUMENT: True}


def refuse_models(tuning: Tuning) -> None:
    """Refuse this tuning for a model as it is, whose inputs have the order of axes that it takes.

    Raises:
        Unsupported: the tuning is asked for.
    """
    if tuning == CHANNELS_FIRST:
        raise Unsupported(f"a model as it is decides on its order of axes: leave out --tuning {CHANNELS_FIRST}")
