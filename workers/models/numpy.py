"""NumPy functions as they are: of arrays, with whatever data they hold themselves."""

import random
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from schemas.job import Cell
from workers.arrays import Array
from workers.errors import Malformed, Unsupported
from workers.models.source import ModelCode


class Adapter:
    """A NumPy function of a user. It has no weights that could be read, so only forward calls are measured."""

    def __init__(self, code: ModelCode, cell: Cell, seed: int) -> None:
        if cell.task != "forward":
            raise Unsupported("a NumPy function has no gradients; measure it with --tasks forward")
        self._code, self._cell, self._seed = code, cell, seed
        self._places: list[int | str] | None = None
        self._example: Sequence[Array] = ()

    @property
    def code(self) -> ModelCode:
        """Return the code of the function."""
        return self._code

    def draw_inputs(self, seed: int) -> tuple[Array, ...]:
        """Draw a set of inputs as arrays; the first call decides which arguments are arrays."""
        seed_generators(seed)
        arguments, named = self._code.draw_inputs(self._cell.batch, self._cell.parameters, seed)
        given: dict[int | str, Any] = dict((*enumerate(arguments), *named.items()))
        found = {place: each for place, each in given.items() if isinstance(each, np.ndarray)}
        if self._places is None:
            self._given, self._places = given, [*found]
            self._example = [*found.values()]
        if [*found] != self._places:
            raise Malformed("the inputs function returns another arrangement of arrays each time; make it the same")
        if not found:
            raise Malformed("the inputs function returns no array; return the arrays of one call", self._code.place)
        return tuple(np.array(each) for each in found.values())

    def set_example(self, inputs: Sequence[Array]) -> None:
        """Use these inputs wherever the function is called without others."""
        self._example = inputs

    def build(self) -> None:
        """Find the function."""
        seed_generators(self._seed)
        self._function = self._code.build_model()

    def read_state(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return nothing: a function keeps its data to itself."""
        return {}, {}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Do nothing, for the same reason."""

    def call_example(self) -> list[Array]:
        """Call the function on the first inputs, and return the outputs."""
        return list_arrays(self._call_function(*self._example))

    def name_random(self) -> str:
        """Return an empty text: a function has no layers."""
        return ""

    def list_notes(self) -> list[str]:
        """Return no notes."""
        return []

    def describe_outputs(self) -> list[tuple[tuple[int, ...], bool]]:
        """Call the function once; return each output's shape, and that none has a gradient."""
        made = self._call_function(*self._example)
        if not (found := list_arrays(made)):
            kind = type(made).__name__
            raise Malformed(
                f"{self._code.source.title} returns a {kind} without arrays; return the results", self._code.place
            )
        return [(each.shape, False) for each in found]

    @property
    def plain(self) -> bool:
        """Return True: nothing but eager calls is measured, for which any arrangement is as good."""
        return True

    def find_trained(self, coefficients: Sequence[Array]) -> list[str]:  # noqa: ARG002 (the protocol's signature)
        """Return no names: there are no parameters."""
        return []

    def count_flops(self, coefficients: Sequence[Array]) -> int:  # noqa: ARG002 (as above)
        """Return 0: operations of NumPy are not counted."""
        return 0

    def finish(self, trained: Sequence[str], coefficients: Sequence[Array], *, plain: bool) -> Any:  # noqa: ARG002
        """Return the function in the form of a reference, as NumPy's mode takes it, and no weights."""
        function = self._function if self._places == [*range(len(self._given))] else self._call_function
        return SimpleNamespace(forward=lambda _sizes, _weights, *inputs: tuple(list_arrays(function(*inputs)))), {}

    def _call_function(self, *inputs: Array) -> Any:
        assert self._places is not None
        given = {**self._given, **dict(zip(self._places, inputs, strict=True))}
        named = {name: value for name, value in given.items() if isinstance(name, str)}
        return self._function(*(value for place, value in given.items() if isinstance(place, int)), **named)


def seed_generators(seed: int) -> None:
    """Seed the generators that functions and inputs draw from."""
    np.random.seed(seed % 2**32)
    random.seed(seed)


def list_arrays(value: Any) -> list[Array]:
    """Return the arrays and numbers in a result, in the order of its items or keys."""
    if isinstance(value, np.ndarray | np.generic | float | int):
        return [np.asarray(value)]
    if isinstance(value, Mapping):
        return [array for each in value.values() for array in list_arrays(each)]
    if isinstance(value, tuple | list):
        return [array for each in value for array in list_arrays(each)]
    return []
