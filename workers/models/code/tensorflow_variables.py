"""The variables that a TensorFlow model holds: found in modules, containers and functions, and replaced there."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import CellType, FunctionType
from typing import Any

import tensorflow as tf

from workers.errors import Unsupported
from workers.models.code import keras_layers

# A name, a value, and a function that puts another value there; None: nothing can.
Member = tuple[str, Any, Callable[[Any], None] | None]


@dataclass(frozen=True, slots=True)
class Held:
    """A variable of a model, where it is held, and how another takes its place."""

    name: str
    variable: Any
    trained: bool
    replace: Callable[[Any], None] | None


def walk_objects(root: Any, module: str) -> Iterator[tuple[str, Any, Callable[[Any], None] | None]]:
    """Yield the variables and the layers of Keras that a model holds, each once: path, object, and what replaces it.

    Modules, lists, dicts, and what a function of the user's file refers to are searched.
    """
    seen = set[int]()
    waiting: list[Member] = [("", root, None)]
    while waiting:
        path, value, replace = waiting.pop(0)
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, tf.Variable) or keras_layers.is_layer(value):
            yield path, value, replace
            continue
        prefix = f"{path}." if path else ""
        waiting[:0] = [(f"{prefix}{name}", child, put) for name, child, put in list_members(value, module)]


def list_members(value: Any, module: str) -> list[Member]:
    """Return what an object holds."""
    if isinstance(value, tf.types.experimental.GenericFunction):
        return list_members(value.python_function, module)
    if inspect.ismethod(value):
        return list_members(value.__self__, module)
    if isinstance(value, FunctionType):
        return list_references(value) if value.__module__ == module else []
    if isinstance(value, Mapping | list | tuple):
        return list_items(value)
    if isinstance(value, tf.Module) or type(value).__module__ == module:
        held = getattr(value, "__dict__", {})
        return [(name, each, make_attribute_setter(value, name)) for name, each in held.items() if is_own(name)]
    return []


def list_items(value: Any) -> list[Member]:
    """Return the items of a container; those of a tuple cannot be replaced."""
    if isinstance(value, tuple):
        return [(str(place), each, None) for place, each in enumerate(value)]
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    return [(str(name), each, make_item_setter(value, name)) for name, each in pairs]


def is_own(name: str) -> bool:
    """Return whether an attribute of a module is its author's, and not of TensorFlow's tracking."""
    return not name.startswith(("_self_", "_tf_", "_TF_"))


def list_references(function: FunctionType) -> list[Member]:
    """Return the globals and the outer variables that a function refers to."""
    names, cells = function.__code__.co_names, function.__closure__ or ()
    kept = [(name, function.__globals__[name]) for name in names if name in function.__globals__]
    outer = [pair for pair in zip(function.__code__.co_freevars, cells, strict=True) if is_filled(pair[1])]
    return [
        *((name, value, make_item_setter(function.__globals__, name)) for name, value in kept),
        *((name, cell.cell_contents, make_attribute_setter(cell, "cell_contents")) for name, cell in outer),
    ]


def is_filled(cell: CellType) -> bool:
    """Return whether an outer variable has a value."""
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def make_item_setter(holder: Any, name: Any) -> Callable[[Any], None]:
    """Return a function that puts a value in a list or a dict."""
    return lambda value: holder.__setitem__(name, value)


def make_attribute_setter(holder: Any, name: str) -> Callable[[Any], None]:
    """Return a function that sets an attribute."""
    return lambda value: setattr(holder, name, value)


def replace_variable(held: Held, dtype: tf.DType) -> Held:
    """Put a variable of another precision in the place of a floating-point one.

    Raises:
        Unsupported: its place cannot hold another.
    """
    variable = held.variable
    if variable.dtype == dtype or not variable.dtype.is_floating:
        return held
    if held.replace is None:
        raise Unsupported(f"the variable {held.name} is held where none of {dtype.name} can take its place")
    made = tf.Variable(tf.cast(variable, dtype), trainable=variable.trainable, name=variable.name.partition(":")[0])
    held.replace(made)
    return Held(held.name, made, held.trained, held.replace)
