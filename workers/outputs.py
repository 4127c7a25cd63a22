"""Outputs of models, however they are nested: all their arrays in one order, the same in every framework."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any


def flatten_outputs(made: object, leaves: Callable[[Any], Sequence[Any]] = lambda leaf: (leaf,)) -> tuple[Any, ...]:
    """Return all arrays of a model's outputs, however they are nested.

    Fields of a dataclass come in their order, and values of a dictionary in the order of their sorted names, as JAX and
    TensorFlow return them. `leaves` is the framework's own function for other types. A None among others is left out.
    """
    return tuple(iterate_leaves(made, leaves)) or (None,)


def iterate_leaves(made: object, leaves: Callable[[Any], Sequence[Any]]) -> Iterator[Any]:
    """Yield the leaves of a nested value."""
    parts = list_parts(made)
    if parts is None:
        yield from (leaf for leaf in leaves(made) if leaf is not None)
        return
    for part in parts:
        if part is not None:
            yield from iterate_leaves(part, leaves)


def list_parts(made: object) -> Iterable[Any] | None:
    """Return the parts of a container in a fixed order; None for any other value."""
    if isinstance(made, list | tuple):
        return made
    if dataclasses.is_dataclass(made) and not isinstance(made, type):
        return [getattr(made, field.name) for field in dataclasses.fields(made)]
    return [made[name] for name in sorted(made, key=str)] if isinstance(made, Mapping) else None
