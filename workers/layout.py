"""Weights that a model keeps in another layout or number than the reference, as Keras keeps kernels transposed.

Such a model has a method `to_reference(arrays)`. It takes NumPy arrays in the order of the model's own weights, and
returns the reference's, in their order or by their names. It must be linear: gradients and moves pass through it too.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from workers.arrays import Array
from workers.errors import Malformed


@runtime_checkable
class HasOwnLayout(Protocol):
    """A model whose own weights are not in the reference's layout."""

    def to_reference(self, arrays: list[Array]) -> Mapping[str, Array] | Sequence[Array]:
        """Convert arrays in the layout of its own weights to that of the reference's weights."""


def to_reference_layout(model: object, arrays: Sequence[Array], names: Sequence[str]) -> list[Array]:
    """Convert arrays that belong to a model's own weights to the reference's layout and order.

    Raises:
        Malformed: the model's method leaves a weight of the reference out.
    """
    if not isinstance(model, HasOwnLayout):
        return [*arrays]
    made = model.to_reference([*arrays])
    if not isinstance(made, Mapping):
        return [*map(np.asarray, made)]
    if missing := [name for name in names if name not in made]:
        raise Malformed(f"Model.to_reference(...) returns no {', '.join(missing)}; return every weight of reference.py")
    return [np.asarray(made[name]) for name in names]
