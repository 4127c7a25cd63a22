"""Arrays of the harness. Importing this module imports NumPy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# Floating-point or complex numbers, or integers and truth values for indices, lengths, tokens and masks.
Array = NDArray[Any]


def is_floating(value: Array) -> bool:
    """Return whether an array holds real or complex floating-point numbers, which take the cell's precision."""
    return np.issubdtype(value.dtype, np.inexact)


def cast_all(values: Sequence[Array], dtypes: Sequence[str], default: DTypeLike) -> list[Array]:
    """Convert each array to its type; without types, floating-point ones to the default."""
    if not dtypes:
        return [cast_floating(value, default) for value in values]
    return [value.astype(dtype) for value, dtype in zip(values, dtypes, strict=True)]


def cast_floating(value: Array, dtype: DTypeLike) -> Array:
    """Convert floating-point numbers to another such dtype; return integers and truth values unchanged.

    Complex numbers take the complex dtype of that precision.
    """
    return value.astype(choose_dtype(value, dtype)) if is_floating(value) else value


def measure_change(results: Sequence[object], again: Sequence[object]) -> float:
    """Return the largest relative change of an array from one list to the other, by the 2-norm."""
    pairs = zip(map(widen_values, results), map(widen_values, again), strict=True)
    changed = [(one, other) for one, other in pairs if not np.array_equal(one, other, equal_nan=True)]
    norms = [(float(np.linalg.norm(one - other)), float(np.linalg.norm(one))) for one, other in changed]
    return max((change / (norm or 1.0) for change, norm in norms), default=0.0)


def choose_dtype(value: Array, dtype: DTypeLike) -> DTypeLike:
    """Return the dtype for floating-point numbers, or its complex partner if these are complex."""
    if not np.iscomplexobj(value):
        return dtype
    if np.dtype(dtype) == np.longdouble:
        return np.clongdouble
    # No smaller complex dtype exists, so bfloat16 and float16 have the partner of float32.
    return np.complex128 if np.dtype(dtype) == np.float64 else np.complex64


def widen_values(value: object) -> Array:
    """Convert the output of any framework to float64, or to complex128 if it is complex."""
    array = np.asarray(value)
    return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)
