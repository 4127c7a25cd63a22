"""The contract of a workload: each breach is reported to its author in one sentence with the place.

Verification decides whether the results are right.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array, is_floating
from workers.errors import Malformed
from workers.interfaces import DrawingReference, HasLoss, Implementation, Reference, select_trained

WRITE_OR_NAME_ANOTHER = 'write it, or name an implementation as the reference in workload.toml: reference = "torch"'


def check_functions(reference: Any, *, formulas: bool) -> None:
    """Check that `reference.py` has its functions; with `formulas`, also those that compute.

    Raises:
        Malformed: one is missing. Every other check here raises this error too.
    """
    if form := find_missing(reference, DrawingReference):
        raise Malformed(f"reference.py has no function {form}; write it", find_file(reference))
    if formulas and (form := find_missing(reference, Reference)):
        raise Malformed(f"reference.py has no function {form}; {WRITE_OR_NAME_ANOTHER}", find_file(reference))


def check_weights(reference: Any, drawn: Any) -> None:
    """Check that weights are floating-point arrays by name."""
    place = find_place(reference, "weights")
    if not isinstance(drawn, Mapping) or not drawn:
        raise Malformed(f"weights(...) must return a dict of arrays by name, not {describe_kind(drawn)}", place)
    for name, weight in drawn.items():
        if not isinstance(name, str):
            raise Malformed(f"weights(...): a name must be a string, not {describe_kind(name)}", place)
        if not isinstance(weight, np.ndarray) or not is_floating(weight):
            raise Malformed(f"weights(...): {name} must be a floating-point array, not {describe_kind(weight)}", place)


def check_shapes(reference: Any, shapes: Any) -> None:
    """Check that there is at least one set of inputs, with a shape for each input."""
    if not (is_filled(shapes) and all(is_filled(each) and all(map(is_shape, each)) for each in shapes)):
        raise Malformed(
            "shapes(...) must return a tuple of sets of inputs, each a tuple with one shape for each input, as in "
            f"(((8, 32),),), not {shapes!r:.80}",
            find_place(reference, "shapes"),
        )


def check_inputs(reference: Any, drawn: Any, shapes: Sequence[Sequence[int]]) -> None:
    """Check that inputs are arrays of the requested shapes."""
    place = find_place(reference, "inputs")
    if not isinstance(drawn, tuple | list) or not all(isinstance(value, np.ndarray) for value in drawn):
        raise Malformed(f"inputs(...) must return a tuple of arrays, not {describe_kind(drawn)}", place)
    if [value.shape for value in drawn] != [tuple(shape) for shape in shapes]:
        found = ", ".join(str(value.shape) for value in drawn)
        raise Malformed(f"inputs(...) must return the shapes {', '.join(map(str, shapes))}, not {found}", place)
    for value in drawn:
        if not is_floating(value) and value.dtype != np.int64:
            raise Malformed(f"inputs(...) must return floating-point numbers or int64, not {value.dtype}", place)


def check_results(
    reference: Any, task: Task, parameters: Mapping[str, int], weights: Mapping[str, Array], inputs: Sequence[Array]
) -> None:
    """Check that the reference returns arrays, or a loss and a gradient for each weight, in their order."""
    if task != "forward":
        check_gradients(reference, reference.backward(parameters, weights, *inputs), weights)
        return
    made = reference.forward(parameters, weights, *inputs)
    if not all(isinstance(each, np.ndarray | np.generic) for each in (made if isinstance(made, tuple) else (made,))):
        place = find_place(reference, "forward")
        raise Malformed(f"forward(...) must return an array or a tuple of arrays, not {describe_kind(made)}", place)


def check_gradients(reference: Any, made: Any, weights: Mapping[str, Array]) -> None:
    """Check that there is a loss, and a gradient for each trained weight, in their order."""
    place, due = find_place(reference, "backward"), select_trained(weights)
    if not isinstance(made, tuple) or len(made) != 2 or not isinstance(made[1], Mapping) or np.shape(made[0]) != ():
        raise Malformed("backward(...) must return the loss, a number, and a dict of gradients by name", place)
    if list(made[1]) != list(due):
        raise Malformed(
            f"backward(...) must return gradients of {shorten_names(due)}, not of {shorten_names(made[1])}", place
        )
    for name, gradient in made[1].items():
        if np.shape(gradient) != due[name].shape:
            what = describe_mismatch(f"the gradient of {name}", np.shape(gradient), due[name])
            raise Malformed(f"backward(...): {what}", place)


def find_model_class(implementation: Any, task: Task) -> Any:
    """Return the class `Model` of an implementation, after checking its constructor, and its loss if one is needed."""
    file = find_file(implementation)
    name = f"Model in {file.rpartition('/')[2]}"
    kind = implementation.Model if isinstance(implementation, Implementation) else None
    if not isinstance(kind, type):
        raise Malformed(f"there is no class {name}; write one that accepts Model(parameters, weights)", file)
    place = find_place(kind, "__init__") or file
    make: Callable[..., Any] = getattr(kind, "__init__")  # noqa: B009 (mypy takes kind.__init__ for a mistake)
    try:
        inspect.signature(make).bind(None, None, None)
    except TypeError as error:
        raise Malformed(f"{name} must accept Model(parameters, weights): {error}", place) from error
    if task != "forward" and (form := find_missing(kind, HasLoss)):
        raise Malformed(f"{name} has no method {form}, which {task} needs; write it", place)
    return kind


def check_model_weights(made: Any, shapes: Sequence[Sequence[int]], weights: Mapping[str, Array], how: str) -> None:
    """Check that a model has registered its weights in their order; `how` tells its author how to do that."""
    due, place = select_trained(weights), find_place(type(made), "__init__")
    if len(shapes) != len(due):
        raise Malformed(
            f"Model has {len(shapes)} weights, but reference.py draws {len(due)} "
            f"({shorten_names(due)}); keep each {how}, "
            "in this order",
            place,
        )
    for number, (shape, (name, weight)) in enumerate(zip(shapes, due.items(), strict=True), 1):
        if tuple(shape) != weight.shape:
            what = describe_mismatch(f"weight {number}", shape, weight)
            raise Malformed(f"Model: {what} like {name}; keep the weights in the order of reference.py", place)


def find_missing(holder: Any, protocol: type[Any]) -> str:
    """Return the form of the first function that a protocol declares and its holder lacks; empty if none is missing.

    `isinstance` would not say which one it is.
    """
    for each in reversed(protocol.__mro__):
        for name, declared in vars(each).items():
            # The names that are looked up are those of the protocol.
            if not name.startswith("_") and not callable(getattr(holder, name, None)):
                asked = inspect.signature(inspect.unwrap(declared)).parameters.values()
                told = (str(one.replace(annotation=one.empty)) for one in asked if one.name != "self")
                return f"{name}({', '.join(told)})"
    return ""


def is_filled(value: Any) -> bool:
    """Return whether a value is a tuple or a list that is not empty."""
    return isinstance(value, tuple | list) and len(value) > 0


def is_shape(value: Any) -> bool:
    """Return whether a value is a tuple or a list of positive sizes."""
    return isinstance(value, tuple | list) and all(isinstance(size, int | np.integer) and size > 0 for size in value)


def describe_mismatch(what: str, shape: Sequence[int], weight: Array) -> str:
    """Describe how a shape differs from that of a weight."""
    return f"{what} has the shape {tuple(shape)}, not {weight.shape}"


def describe_kind(value: Any) -> str:
    """Describe the type of a value in a few words."""
    return f"an array of {value.dtype}" if isinstance(value, np.ndarray) else f"a value of type {type(value).__name__}"


def shorten_names(names: Mapping[str, Any]) -> str:
    """List the first of these names."""
    return ", ".join(list(names)[:8]) + (", ..." if len(names) > 8 else "")


def find_file(module: Any) -> str:
    """Return the file of a module."""
    return str(getattr(module, "__file__", ""))


def find_place(holder: Any, name: str) -> str:
    """Return file and line of a function; if it was written elsewhere, only the file of its holder."""
    found, file = getattr(holder, name, None), find_file(holder)
    code = found.__code__ if isinstance(found, FunctionType) else None
    return f"{code.co_filename}:{code.co_firstlineno}" if code and file in ("", code.co_filename) else file
