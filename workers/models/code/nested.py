"""Values nested in tuples, lists, dicts and dataclasses, and adapters of models whose arrays are found in them."""

import dataclasses
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import repeat
from typing import Any

import numpy as np

from schemas.job import TRAINING_TASKS, Cell
from workers.arrays import Array, is_floating
from workers.errors import Malformed
from workers.models.code.source import ModelCode
from workers.outputs import list_parts

# Types of the arrays, as `isinstance` takes them.
Kinds = tuple[type, ...]


def list_leaves(value: Any, kinds: Kinds) -> list[Any]:
    """Return the arrays in a value, in the order of its items, sorted keys or fields: the same in every framework."""
    if isinstance(value, kinds):
        return [value]
    return [leaf for each in list_parts(value) or () for leaf in list_leaves(each, kinds)]


def rebuild_value(value: Any, leaves: Iterator[Any], kinds: Kinds) -> Any:
    """Return a value like this one, with these arrays in the places of its own."""
    if isinstance(value, kinds):
        return next(leaves)
    made = [rebuild_value(each, leaves, kinds) for each in list_parts(value) or ()]
    if isinstance(value, tuple | list):
        return type(value)(*made) if hasattr(value, "_fields") else type(value)(made)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return dataclasses.replace(value, **dict(zip(names, made, strict=True)))
    if isinstance(value, Mapping):
        items = dict(zip(sorted(value, key=str), made, strict=True))
        return type(value)({name: items[name] for name in value})  # type: ignore[call-arg] # as dicts of all kinds do
    return value


def outline_value(value: Any, kinds: Kinds) -> Any:
    """Return how the arrays in a value are arranged, for comparison."""
    if isinstance(value, kinds):
        return "array"
    names = tuple(value) if isinstance(value, Mapping) else ()
    return type(value).__name__, names, tuple(outline_value(each, kinds) for each in list_parts(value) or ())


class Arrangement:
    """The arrangement of the arrays among the arguments of a call."""

    def __init__(self, arguments: tuple[Any, ...], named: Mapping[str, Any], kinds: Kinds) -> None:
        call = (arguments, dict(named))
        self._outline, self._kinds = outline_value(call, kinds), kinds
        # Only their places matter, so the arrays themselves are not kept.
        self._call = rebuild_value(call, repeat(np.empty(0)), kinds)
        self.plain = not named and all(isinstance(each, kinds) for each in arguments)

    def flatten(self, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> list[Any]:
        """Return the arrays among the arguments of a call like the first one.

        Raises:
            Malformed: the arguments are arranged in another way.
        """
        call = (arguments, dict(named))
        if outline_value(call, self._kinds) != self._outline:
            raise Malformed("the inputs function returns another arrangement of arrays each time; make it the same")
        return list_leaves(call, self._kinds)

    def arrange(self, arrays: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call with these arrays."""
        arguments, named = rebuild_value(self._call, iter(arrays), self._kinds)
        return arguments, named


class NestedAdapter(ABC):
    """The part of an adapter that finds the arrays among the arguments and the results of a call."""

    kinds: Kinds
    noun = "array"
    """The framework's word for an array, for messages."""

    def __init__(self, code: ModelCode, cell: Cell, seed: int) -> None:
        self._code, self._cell, self._seed = code, cell, seed
        self._arrangement: Arrangement | None = None
        self._drawn: list[Array] = []
        self._example: list[Any] = []
        self._is_plain: bool | None = None
        self.outputs: Any = None

    @property
    def code(self) -> ModelCode:
        """Return the code of the model."""
        return self._code

    @property
    def is_training(self) -> bool:
        """Return whether layers behave as in training: for every task that needs gradients."""
        return self._cell.task != "forward"

    @abstractmethod
    def open_drawing(self, seed: int) -> AbstractContextManager[Any]:
        """Return the context in which the user's code draws weights and inputs, with its generators seeded."""

    def open_call(self) -> AbstractContextManager[Any]:
        """Return the context of a call before the model is finished."""
        return nullcontext()

    @abstractmethod
    def to_tensor(self, value: Any) -> Any:
        """Convert an array to the framework's, for calls before the model is finished."""

    @abstractmethod
    def to_array(self, tensor: Any) -> Array:
        """Convert the framework's array to one of NumPy. It has no bfloat16, whose numbers float32 holds."""

    @abstractmethod
    def call_written(self, tensors: Sequence[Any]) -> Any:
        """Call the model as its author does."""

    def draw_inputs(self, seed: int) -> tuple[Array, ...]:
        """Draw a set of inputs, flattened to arrays; the first call decides how they are arranged.

        A function that draws from a fixed key returns the same values each time. Further sets then have the same
        floating-point numbers in another order, so that no mode can pass with the results of an earlier set.
        """
        with self.open_drawing(seed):
            arguments, named = self._code.draw_inputs(self._cell.batch, self._cell.parameters, seed)
            if self._arrangement is None:
                self._arrangement = Arrangement(arguments, named, self.kinds)
            drawn = [self.to_array(each) for each in self._arrangement.flatten(arguments, named)]
        if not drawn:
            raise Malformed(
                f"the inputs function returns no {self.noun}; return the {self.noun}s of one call", self._code.place
            )
        if not self._drawn:
            self._drawn = drawn
            self.set_example(drawn)
        elif all(map(np.array_equal, drawn, self._drawn)):
            drawn = shuffle_floating(drawn, seed)
        return tuple(drawn)

    def set_example(self, inputs: Sequence[Array]) -> None:
        """Use these inputs, flattened to arrays, wherever the model is called without others."""
        self._example = [*inputs]

    def call_example(self) -> list[Array]:
        """Call the model on the first inputs, and return the outputs as arrays."""
        return [self.to_array(each) for each in self.list_outputs(self._call_on_example())]

    def describe_outputs(self) -> list[tuple[tuple[int, ...], bool]]:
        """Call the model once on the first inputs; return each output's shape, and whether it can have a gradient."""
        self.outputs = self._call_on_example()
        found = [self.to_array(each) for each in self.list_outputs(self.outputs)]
        if not found:
            kind = type(self.outputs).__name__
            raise Malformed(
                f"{self._code.source.title} returns a {kind} without {self.noun}s; return the results", self._code.place
            )
        return [(each.shape, can_differ(each)) for each in found]

    @property
    def plain(self) -> bool:
        """Return whether a call takes and returns nothing but arrays, one or a tuple of them."""
        assert self._arrangement is not None
        if self._is_plain is None:
            made = self.outputs if type(self.outputs) is tuple else (self.outputs,)
            self._is_plain = self._arrangement.plain and all(isinstance(each, self.kinds) for each in made)
        return self._is_plain

    def list_outputs(self, made: Any) -> list[Any]:
        """Return the arrays in a result."""
        return list_leaves(made, self.kinds)

    def arrange_inputs(self, tensors: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call with these arrays."""
        assert self._arrangement is not None
        return self._arrangement.arrange(tensors)

    def rebuild_outputs(self, tensors: Sequence[Any]) -> Any:
        """Return a result like that of `describe_outputs`, with these arrays."""
        return rebuild_value(self.outputs, iter(tensors), self.kinds)

    def refuse_loss(self) -> Malformed:
        """Return the error of a loss that is no number."""
        return Malformed(f"loss(outputs) must return one floating-point number in a {self.noun}", self._code.place)

    def refuse_gradients(self) -> Malformed:
        """Return the error of a loss without parameters."""
        title = self._code.source.title
        return Malformed(
            f"the loss of {title} depends on no parameter; measure it with --tasks forward", self._code.place
        )

    def _call_on_example(self) -> Any:
        # Not seeded: two calls must be seen to differ.
        with self.open_call():
            return self.call_written([self.to_tensor(each) for each in self._example])

    @property
    def compares_outputs(self) -> bool:
        """Return whether the loss compares outputs with fixed tensors; otherwise it multiplies them.

        Training would drive an inner product to minus infinity.
        """
        return self._cell.task in TRAINING_TASKS


def can_differ(value: Array) -> bool:
    """Return whether an array can have a gradient."""
    return is_floating(value) or np.issubdtype(value.dtype, np.complexfloating)


def shuffle_floating(values: Sequence[Array], seed: int) -> list[Array]:
    """Return arrays with the same floating-point numbers in another order, and all others unchanged."""
    rng = np.random.default_rng(seed)
    return [rng.permuted(each, axis=None) if can_differ(each) else each for each in values]


def seed_python(seed: int) -> None:
    """Seed the generators of Python and NumPy."""
    np.random.seed(seed % 2**32)
    random.seed(seed)


def name_apart(names: Sequence[str]) -> list[str]:
    """Return names that all differ: the second of one name gets the number 2."""
    seen: dict[str, int] = {}
    made = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        made.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return made
