"""What a workload has to have. Who writes one is told what is missing, in a sentence with the place.

Whether what is there is right, verification says.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array, is_floating
from workers.errors import Malformed
from workers.workloads import trained

DRAWING = {
    "weights": "weights(parameters, rng)",
    "shapes": "shapes(parameters, batch)",
    "inputs": "inputs(parameters, rng, shapes)",
}
COMPUTING = {"forward": "forward(parameters, weights, *inputs)", "backward": "backward(parameters, weights, *inputs)"}
OR_ANOTHER = 'write it, or name the implementation that is to be the reference in workload.toml: reference = "torch"'


def has_functions(reference: Any, *, formulas: bool) -> None:
    """See that the functions of `reference.py` are there, those that compute only if they are needed.

    Raises:
        Malformed: one is not. So it is in all that follows.
    """
    for name, form in (DRAWING | (COMPUTING if formulas else {})).items():
        if not callable(getattr(reference, name, None)):
            todo = OR_ANOTHER if name in COMPUTING else "write it"
            raise Malformed(f"reference.py has no function {form}; {todo}", file_of(reference))


def are_weights(reference: Any, drawn: Any) -> None:
    """See that weights are floating arrays by name."""
    place = place_of(reference, "weights")
    if not isinstance(drawn, Mapping) or not drawn:
        raise Malformed(f"weights(...) has to return a dict of arrays by name, not {kind_of(drawn)}", place)
    for name, weight in drawn.items():
        if not isinstance(name, str):
            raise Malformed(f"weights(...): a name has to be a text, not {kind_of(name)}", place)
        if not isinstance(weight, np.ndarray) or not is_floating(weight):
            raise Malformed(f"weights(...): {name} has to be a floating array, not {kind_of(weight)}", place)


def are_shapes(reference: Any, shapes: Any) -> None:
    """See that this is at least one set of inputs, with a shape for each input."""
    if not (is_some(shapes) and all(is_some(each) and all(map(is_shape, each)) for each in shapes)):
        raise Malformed(
            "shapes(...) has to return a tuple of sets of inputs, each a tuple with one shape for each input, as in "
            f"(((8, 32),),), not {shapes!r:.80}",
            place_of(reference, "shapes"),
        )


def are_inputs(reference: Any, drawn: Any, shapes: Sequence[Sequence[int]]) -> None:
    """See that inputs are arrays of the shapes that were asked for."""
    place = place_of(reference, "inputs")
    if not isinstance(drawn, tuple | list) or not all(isinstance(value, np.ndarray) for value in drawn):
        raise Malformed(f"inputs(...) has to return a tuple of arrays, not {kind_of(drawn)}", place)
    if [value.shape for value in drawn] != [tuple(shape) for shape in shapes]:
        found = ", ".join(str(value.shape) for value in drawn)
        raise Malformed(f"inputs(...) was asked for {', '.join(map(str, shapes))}, and returned {found}", place)
    for value in drawn:
        if not is_floating(value) and value.dtype != np.int64:
            raise Malformed(f"inputs(...) has to return floating numbers or int64, not {value.dtype}", place)


def computes(
    reference: Any, task: Task, parameters: Mapping[str, int], weights: Mapping[str, Array], inputs: Sequence[Array]
) -> None:
    """See that the reference gives arrays, or for training a loss and a gradient for each weight, in their order."""
    if task != "forward":
        are_gradients(reference, reference.backward(parameters, weights, *inputs), weights)
        return
    made = reference.forward(parameters, weights, *inputs)
    if not all(isinstance(each, np.ndarray | np.generic) for each in (made if isinstance(made, tuple) else (made,))):
        place = place_of(reference, "forward")
        raise Malformed(f"forward(...) has to return an array or a tuple of arrays, not {kind_of(made)}", place)


def are_gradients(reference: Any, made: Any, weights: Mapping[str, Array]) -> None:
    """See that this is a loss, and a gradient for each trained weight, in their order."""
    place, due = place_of(reference, "backward"), trained(weights)
    if not isinstance(made, tuple) or len(made) != 2 or not isinstance(made[1], Mapping) or np.shape(made[0]) != ():
        raise Malformed("backward(...) has to return the loss, a number, and a dict of gradients by name", place)
    if list(made[1]) != list(due):
        raise Malformed(f"backward(...) has to return gradients of {listed(due)}, not of {listed(made[1])}", place)
    for name, gradient in made[1].items():
        if np.shape(gradient) != due[name].shape:
            what = differs(f"the gradient of {name}", np.shape(gradient), due[name])
            raise Malformed(f"backward(...): {what}", place)


def model(implementation: Any, task: Task) -> Any:
    """The class `Model` of an implementation: made of parameters and weights, with a loss if the task needs one."""
    file = file_of(implementation)
    name, kind = f"Model in {file.rpartition('/')[2]}", getattr(implementation, "Model", None)
    if not isinstance(kind, type):
        raise Malformed(f"there is no class {name}; write one that is made as Model(parameters, weights)", file)
    place = place_of(kind, "__init__") or file
    make: Callable[..., Any] = getattr(kind, "__init__")  # noqa: B009 (mypy takes kind.__init__ for a mistake)
    try:
        inspect.signature(make).bind(None, None, None)
    except TypeError as error:
        raise Malformed(f"{name} has to be made as Model(parameters, weights): {error}", place) from error
    if task != "forward" and not callable(getattr(kind, "loss", None)):
        raise Malformed(f"{name} has no method loss(*inputs), and {task} needs one", place)
    return kind


def has_weights(made: Any, shapes: Sequence[Sequence[int]], weights: Mapping[str, Array], how: str) -> None:
    """See that a model has registered the weights that it was given, in their order, by saying how that is done."""
    due, place = trained(weights), place_of(type(made), "__init__")
    if len(shapes) != len(due):
        raise Malformed(
            f"Model has {len(shapes)} weights, where reference.py draws {len(due)} ({listed(due)}); keep each {how}, "
            "in this order",
            place,
        )
    for number, (shape, (name, weight)) in enumerate(zip(shapes, due.items(), strict=True), 1):
        if tuple(shape) != weight.shape:
            raise Malformed(f"Model: {differs(f'weight {number}', shape, weight)} of {name}, which comes there", place)


def is_some(value: Any) -> bool:
    """Whether there is anything in a tuple or a list."""
    return isinstance(value, tuple | list) and len(value) > 0


def is_shape(value: Any) -> bool:
    """Whether these are sizes."""
    return isinstance(value, tuple | list) and all(isinstance(size, int | np.integer) and size > 0 for size in value)


def differs(what: str, shape: Sequence[int], weight: Array) -> str:
    """That a shape is not the one of a weight."""
    return f"{what} has the shape {tuple(shape)}, and {weight.shape} is that"


def kind_of(value: Any) -> str:
    """What something is, in a word or two."""
    return f"an array of {value.dtype}" if isinstance(value, np.ndarray) else f"of the type {type(value).__name__}"


def listed(names: Mapping[str, Any]) -> str:
    """The first of these names."""
    return ", ".join(list(names)[:8]) + (", ..." if len(names) > 8 else "")


def file_of(module: Any) -> str:
    """Where a module comes from."""
    return str(getattr(module, "__file__", ""))


def place_of(holder: Any, name: str) -> str:
    """File and line of a function where it was written; if it was made elsewhere, the file that it is in."""
    found, file = getattr(holder, name, None), file_of(holder)
    code = found.__code__ if isinstance(found, FunctionType) else None
    return f"{code.co_filename}:{code.co_firstlineno}" if code and file in ("", code.co_filename) else file
