"""NumPy functions as they are: of arrays, with whatever data they hold themselves."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np

from schemas.job import Cell
from workers.arrays import Array
from workers.errors import Unsupported
from workers.models.code.nested import NestedAdapter, list_leaves, seed_python
from workers.models.code.source import ModelCode


class Adapter(NestedAdapter):
    """A NumPy function of a user. It has no weights that could be read, so only forward calls are measured."""

    kinds = (np.ndarray, np.generic)

    def __init__(self, code: ModelCode, cell: Cell, seed: int) -> None:
        if cell.task != "forward":
            raise Unsupported("a NumPy function has no gradients; measure it with --tasks forward")
        super().__init__(code, cell, seed)

    def open_drawing(self, seed: int) -> AbstractContextManager[Any]:
        """Seed the generators that functions and inputs draw from."""
        seed_python(seed)
        return nullcontext()

    def to_tensor(self, value: Any) -> Any:
        """Return an array as it is."""
        return value

    def to_array(self, tensor: Any) -> Array:
        """Return a copy of an array, or an array of a number."""
        return np.array(tensor)

    def build(self) -> None:
        """Find the function."""
        seed_python(self._seed)
        self._function = self._code.build_model()

    def call_written(self, tensors: Sequence[Any]) -> Any:
        """Call the function as its author does."""
        arguments, named = self.arrange_inputs(tensors)
        return self._function(*arguments, **named)

    def list_outputs(self, made: Any) -> list[Any]:
        """Return the arrays and numbers in a result."""
        return list_leaves(made, (*self.kinds, float, int))

    @property
    def plain(self) -> bool:
        """Return True: nothing but eager calls is measured, for which any arrangement is as good."""
        return True

    def read_state(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return nothing: a function keeps its data to itself."""
        return {}, {}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Do nothing, for the same reason."""

    def name_random(self) -> str:
        """Return an empty text: a function has no layers."""
        return ""

    def list_notes(self) -> list[str]:
        """Return no notes."""
        return []

    def find_trained(self, coefficients: Sequence[Array]) -> list[str]:  # noqa: ARG002 (the protocol's signature)
        """Return no names: there are no parameters."""
        return []

    def count_flops(self, coefficients: Sequence[Array]) -> int:  # noqa: ARG002 (as above)
        """Return 0: operations of NumPy are not counted."""
        return 0

    def finish(self, trained: Sequence[str], coefficients: Sequence[Array], *, plain: bool) -> Any:  # noqa: ARG002
        """Return the function in the form of a reference, as NumPy's mode takes it, and no weights."""
        assert self._arrangement is not None
        written, function = lambda *inputs: self.call_written(inputs), self._function
        call = function if self._arrangement.plain else written
        return SimpleNamespace(forward=lambda _sizes, _weights, *inputs: self._collect(call(*inputs))), {}

    def _collect(self, made: Any) -> tuple[Array, ...]:
        return tuple(map(np.asarray, self.list_outputs(made)))
