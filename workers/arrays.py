"""Arrays of the harness. Importing this module imports NumPy."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# Floating-point numbers, or integers for indices, lengths and tokens.
Array = NDArray[Any]


def is_floating(value: Array) -> bool:
    """Return whether an array holds floating-point numbers, which take the cell's dtype; integers keep theirs."""
    return np.issubdtype(value.dtype, np.floating)


def cast_floating(value: Array, dtype: DTypeLike) -> Array:
    """Convert floating-point numbers to another such dtype; return integers unchanged."""
    return value.astype(dtype) if is_floating(value) else value
