"""The code of a model in a file, as the adapters of models in code take it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import ModuleType
from typing import Any

from schemas.job import Cell
from schemas.models import InputSignature, ModelSource
from workers.models.code.source import Call
from workers.models.files.inputs import FileInputs, make_inputs


class FileCode(ABC):
    """A file that a framework loads as a model, with the inputs that the file or its user describes."""

    loss = None
    map_weights = None

    def __init__(self, source: ModelSource, cell: Cell, seed: int) -> None:
        self.source, self._cell, self._seed = source, cell, seed
        self.module = ModuleType("model_file")

    @property
    def place(self) -> str:
        """Return the file, for messages."""
        return self.source.file

    @abstractmethod
    def build_model(self) -> Any:
        """Load the model."""

    @abstractmethod
    def list_inputs(self) -> Sequence[InputSignature]:
        """Return the signature of the model."""

    @abstractmethod
    def arrange(self, arrays: tuple[Any, ...]) -> Call:
        """Return the arguments of a call with these arrays."""

    def draw_inputs(self, batch: int, sizes: Mapping[str, int], seed: int) -> Call:  # noqa: ARG002 (the cell has them)
        """Draw the arguments of a call."""
        return self.arrange(self._inputs.draw(seed, self._seed))

    @cached_property
    def _inputs(self) -> FileInputs:
        return make_inputs(self.source, self._cell, self.list_inputs())
