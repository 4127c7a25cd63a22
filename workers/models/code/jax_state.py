"""The arrays of a JAX model by name, and calls with others in their place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from workers.models.code.nested import name_apart

# A call with arrays bound in: it returns the results, and a function that collects all arrays after it.
Bound = Callable[..., tuple[Any, Callable[[], list[Any]]]]


@dataclass(frozen=True, slots=True)
class Held:
    """An array of a model: its name, whether it is trained, and its value. A constant is no part of the state."""

    name: str
    trained: bool
    value: Any
    constant: bool


@dataclass(frozen=True, slots=True)
class Form:
    """A model as a call with all its arrays bound in, and the number of layers whose dropout is off in training."""

    held: Sequence[Held]
    bind: Callable[[list[Any]], Bound]
    dropouts: int = 0


def name_path(path: Sequence[Any]) -> str:
    """Return the name of an array in a tree, as in layers.0.weight."""
    return jax.tree_util.keystr(tuple(path), simple=True, separator=".")


def split_leaves(leaves: Sequence[tuple[str, bool, Any]]) -> list[Held]:
    """Return the arrays among leaves of a tree; keys of generators and objects of other kinds are constants."""
    names = name_apart([name or "parameters" for name, _, _ in leaves])
    return [
        Held(name, trained and is_inexact(leaf), leaf, constant=not is_array(leaf) or is_key(leaf))
        for name, (_, trained, leaf) in zip(names, leaves, strict=True)
    ]


def is_array(leaf: Any) -> bool:
    """Return whether a leaf holds numbers in an array of JAX or NumPy."""
    return hasattr(leaf, "dtype") and hasattr(leaf, "shape")


def is_key(leaf: Any) -> bool:
    """Return whether a leaf is a key of a generator."""
    return bool(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key))


def is_inexact(leaf: Any) -> bool:
    """Return whether a leaf holds floating-point or complex numbers."""
    return is_array(leaf) and bool(jnp.issubdtype(leaf.dtype, jnp.inexact))
