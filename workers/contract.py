"""The contract of a workload: each breach is reported to its author in one sentence with the place.

Verification decides whether the results are right.
"""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array, is_floating, measure_change
from workers.errors import Malformed
from workers.interfaces import DrawingReference, DrawsWeights, HasLoss, Implementation, Reference, select_trained
from workers.outputs import flatten_outputs

# NumPy's letters for kinds of numbers: truth values, integers with and without a sign, real and complex ones.
NUMBER_KINDS = "biufc"

# The relative change that threads may cause in float64, which add up in any order.
MAX_CHANGE = 1e-9

WRITE_OR_NAME_ANOTHER = 'write it, or name an implementation as the reference in workload.toml: reference = "torch"'


# The way out for a model's file without an optimiser that could train it.
OR_CHOOSE_OPTIMIZER = "or choose --optimizer sgd, adam or adamw"


def check_functions(reference: Any, *, formulas: bool, task: Task = "backward") -> None:
    """Check that `reference.py` has its functions; with `formulas`, also the one that computes this task.

    Raises:
        Malformed: one is missing. Every other check here raises this error too.
    """
    if form := find_missing(reference, DrawingReference):
        raise Malformed(f"reference.py has no function {form}; write it", find_file(reference))
    name = "forward" if task == "forward" else "backward"
    if formulas and (form := find_missing(reference, Reference, name)):
        raise Malformed(f"reference.py has no function {form}; {WRITE_OR_NAME_ANOTHER}", find_file(reference))


def draw_weights(
    reference: Any, task: Task, parameters: Mapping[str, int], rng: np.random.Generator
) -> dict[str, Array]:
    """Draw the weights, and check that they are floating-point arrays by name; an operation may have none."""
    place = find_place(reference, "weights")
    drawn = reference.weights(parameters, rng) if isinstance(reference, DrawsWeights) else {}
    if not isinstance(drawn, Mapping):
        raise Malformed(f"weights(...) must return a dict of arrays by name, not {describe_kind(drawn)}", place)
    for name, weight in drawn.items():
        if not isinstance(name, str):
            raise Malformed(f"weights(...): a name must be a string, not {describe_kind(name)}", place)
        if not isinstance(weight, np.ndarray | np.floating) or not is_floating(np.asarray(weight)):
            raise Malformed(f"weights(...): {name} must be a floating-point array, not {describe_kind(weight)}", place)
    if task != "forward" and not select_trained(drawn):
        drawing = isinstance(reference, DrawsWeights)
        found = "weights(...) returns none" if drawing else "reference.py has no function weights(parameters, rng)"
        raise Malformed(f"{found}; write it, as {task} needs weights, or choose --tasks forward", place)
    return {name: np.asarray(weight) for name, weight in drawn.items()}


def check_shapes(reference: Any, shapes: Any) -> None:
    """Check that there is at least one set of inputs, with a shape for each input."""
    if not (is_filled(shapes) and all(is_filled(each) and all(map(is_shape, each)) for each in shapes)):
        raise Malformed(
            "shapes(...) must return a tuple of sets of inputs, each a tuple with one shape for each input, as in "
            f"(((8, 32),),), not {shapes!r:.80}",
            find_place(reference, "shapes"),
        )


def check_inputs(reference: Any, drawn: Any, shapes: Sequence[Sequence[int]]) -> list[Array]:
    """Return inputs after checking that they are arrays of the requested shapes; a number is an array without axes."""
    place = find_place(reference, "inputs")
    if not isinstance(drawn, tuple | list) or not all(isinstance(value, np.ndarray | np.generic) for value in drawn):
        raise Malformed(f"inputs(...) must return a tuple of arrays, not {describe_kind(drawn)}", place)
    if [value.shape for value in drawn] != [tuple(shape) for shape in shapes]:
        found = ", ".join(str(value.shape) for value in drawn)
        raise Malformed(f"inputs(...) must return the shapes {', '.join(map(str, shapes))}, not {found}", place)
    for value in drawn:
        if value.dtype.kind not in NUMBER_KINDS:
            raise Malformed(f"inputs(...) must return numbers or truth values, not {value.dtype}", place)
    return [np.asarray(value) for value in drawn]


def check_results(
    reference: Any, task: Task, parameters: Mapping[str, int], weights: Mapping[str, Array], inputs: Sequence[Array]
) -> None:
    """Check that the reference returns arrays, or a loss and a gradient for each weight, in their order.

    It is called twice: a reference that draws random numbers judges nothing.
    """
    name = "forward" if task == "forward" else "backward"
    compute, place = getattr(reference, name), find_place(reference, name)
    made = compute(parameters, weights, *inputs)
    if task == "forward":
        outputs = flatten_outputs(made)
        if not outputs or not all(isinstance(each, np.ndarray | np.generic) for each in outputs):
            raise Malformed(f"forward(...) must return an array or a tuple of arrays, not {describe_kind(made)}", place)
        check_referee_precision(name, outputs, place)
    else:
        check_gradients(reference, made, weights)
    change = measure_change(flatten_outputs(made), flatten_outputs(compute(parameters, weights, *inputs)))
    if change > MAX_CHANGE:
        raise Malformed(
            f"{name}(...) called twice with the same inputs changes its results by {change:.2g}, so it can judge "
            "nothing: draw no random numbers in it",
            place,
        )


def check_gradients(reference: Any, made: Any, weights: Mapping[str, Array]) -> None:
    """Check that there is a loss, and a gradient for each trained weight, in their order."""
    place, due = find_place(reference, "backward"), select_trained(weights)
    if not isinstance(made, tuple) or len(made) != 2 or not isinstance(made[1], Mapping) or np.shape(made[0]) != ():
        raise Malformed("backward(...) must return the loss, a number, and a dict of gradients by name", place)
    if list(made[1]) != list(due):
        raise Malformed(
            f"backward(...) must return gradients of {shorten_names(due)}, not of {shorten_names(made[1])}", place
        )
    check_referee_precision("backward", [made[0], *made[1].values()], place)
    for name, gradient in made[1].items():
        if np.shape(gradient) != due[name].shape:
            what = describe_mismatch(f"the gradient of {name}", np.shape(gradient), due[name])
            raise Malformed(f"backward(...): {what}", place)


def check_referee_precision(function: str, results: Iterable[Any], place: str) -> None:
    """Check that results which were computed from float64 have kept its precision, for they judge all others."""
    for result in results:
        found = np.asarray(result).dtype
        if found in (np.float16, np.float32, np.complex64):
            raise Malformed(
                f"{function}(...) returned {found} from float64: keep the dtype of weights and inputs", place
            )


def find_model_class(implementation: Any, task: Task, *, alone: bool = False) -> Any:
    """Return the class `Model` of an implementation, after checking its constructor, and its loss if one is needed.

    With `alone`, it may accept the parameters alone: its weights are then loaded, or it makes them.
    """
    file = find_file(implementation)
    name = f"Model in {file.rpartition('/')[2]}"
    kind = implementation.Model if isinstance(implementation, Implementation) else None
    if not isinstance(kind, type):
        raise Malformed(f"there is no class {name}; write one that accepts Model(parameters, weights)", file)
    place = find_place(kind, "__init__") or file
    if (reason := explain_refused_arguments(kind, 2)) and not (alone and accepts_parameters_alone(kind)):
        raise Malformed(f"{name} must accept Model(parameters, weights): {reason}", place)
    if task != "forward" and (form := find_missing(kind, HasLoss)):
        raise Malformed(f"{name} has no method {form}, which {task} needs; write it", place)
    return kind


def find_model_with_state(implementation: Any, task: Task) -> Any:
    """Return the class `Model` of an implementation whose models make their own weights."""
    kind = find_model_class(implementation, task, alone=True)
    if not accepts_parameters_alone(kind):
        where = find_place(kind, "__init__") or find_file(implementation)
        raise Malformed("Model makes the weights, by workload.toml, and must accept Model(parameters) alone", where)
    return kind


def accepts_parameters_alone(kind: type[Any]) -> bool:
    """Return whether a class is made from the parameters alone."""
    # A class that is made from the weights alone has forgotten the parameters.
    takes_weights = "weights" in inspect.signature(kind).parameters
    return not takes_weights and bool(explain_refused_arguments(kind, 2)) and not explain_refused_arguments(kind, 1)


def explain_refused_arguments(kind: type[Any], number: int) -> str:
    """Return why a class cannot be made from this number of arguments; empty if it can."""
    make: Callable[..., Any] = getattr(kind, "__init__")  # noqa: B009 (mypy takes kind.__init__ for a mistake)
    try:
        inspect.signature(make).bind(None, *[None] * number)
    except TypeError as error:
        return str(error)
    return ""


def check_names(due: Iterable[str], own: Iterable[str], place: str) -> None:
    """Check that weights which are loaded by name are all there, and that no other weight is left as it was made."""
    due, own = [*due], [*own]
    if missing := [name for name in due if name not in own]:
        raise Malformed(f"Model has no weight {shorten_names(missing)}, by whose name it would be loaded", place)
    if left := [name for name in own if name not in due]:
        raise Malformed(f"Model has the weight {shorten_names(left)}, but reference.py draws none of that name", place)


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


def find_missing(holder: Any, protocol: type[Any], *names: str) -> str:
    """Return the form of the first function that a protocol declares and its holder lacks; empty if none is missing.

    With names, only these count. `isinstance` would not say which one is missing.
    """
    for each in reversed(protocol.__mro__):
        for name, declared in vars(each).items():
            # The names that are looked up are those of the protocol.
            asked_for = name in names if names else not name.startswith("_")
            if asked_for and not callable(getattr(holder, name, None)):
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


def shorten_names(names: Collection[str]) -> str:
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
