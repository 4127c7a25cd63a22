"""Arrays in the hands of the harness. Importing this imports NumPy."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
"""Floating numbers, or integers where they are indices, lengths or tokens."""


def is_floating(value: Array) -> bool:
    """Whether these are numbers to compute with, which have the cell's dtype; integers stay what they are."""
    return np.issubdtype(value.dtype, np.floating)


def cast(value: Array, dtype: DTypeLike) -> Array:
    """The same in another floating dtype, unless it holds integers."""
    return value.astype(dtype) if is_floating(value) else value
