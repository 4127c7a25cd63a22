"""Inputs drawn from descriptions such as `int64[batch,128]<30522`, for models without an inputs function."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from schemas.models import InputSignature, parse_input
from workers.arrays import Array


def draw_signature(texts: Iterable[str], sizes: Mapping[str, int], seed: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Draw the arguments of a call: those with a name are keyword arguments.

    Floating-point numbers are normal, integers uniform below their bound (2 without one), booleans even.
    """
    rng = np.random.default_rng(seed)
    drawn = [(each.name, draw_array(each, sizes, rng)) for each in map(parse_input, texts)]
    return tuple(value for name, value in drawn if not name), {name: value for name, value in drawn if name}


def draw_array(signature: InputSignature, sizes: Mapping[str, int], rng: np.random.Generator) -> Array:
    """Draw one input."""
    shape = [size if isinstance(size, int) else sizes[size] for size in signature.sizes]
    if signature.dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if signature.dtype.startswith(("int", "uint")):
        return rng.integers(0, signature.below or 2, shape, np.int64).astype(signature.dtype)
    values = rng.standard_normal(shape)
    if signature.dtype.startswith("complex"):
        return np.asarray(values + 1j * rng.standard_normal(shape), signature.dtype)
    # A cell's dtype decides the precision of floating-point inputs; float32 holds what all of them can draw.
    return np.asarray(values, np.float32)
