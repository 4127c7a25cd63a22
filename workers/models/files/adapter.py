"""A model in a file that runtimes open as it is: what all kinds of such files have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from schemas.job import Cell, Dtype
from schemas.models import InputSignature, ModelSource
from workers.arrays import Array, widen_values
from workers.interfaces import Step
from workers.models.files.inputs import FileInputs, make_inputs


class FileAdapter(ABC):
    """A model file. Its weights stay in it, it has no loss, and a call takes and returns arrays."""

    plain = True
    map_weights = None
    coarse = False
    """It computes with less than float32."""
    judged_by_first = False
    """Its expected results are those of the first of several models, because it has none of its own."""

    def __init__(self, source: ModelSource, cell: Cell, seed: int) -> None:
        self._source, self._cell, self._seed = source, cell, seed
        self._example: tuple[Array, ...] = ()

    @abstractmethod
    def list_inputs(self) -> Sequence[InputSignature]:
        """Return the signature that the file has."""

    @abstractmethod
    def make_step(self, dtype: Dtype) -> Step:
        """Return a call of the file in its most literal form, or of a copy of it in float64.

        Raises:
            Unsupported: there is no such copy, or nothing here computes it.
        """

    @property
    def code(self) -> "FileAdapter":
        """Return itself: the file is the code, and maps no weights."""
        return self

    @property
    def place(self) -> str:
        """Return the file, for messages."""
        return self._source.file

    @property
    def agreement(self) -> str:
        """Return why nothing but another run of the file could be expected; empty: its graph can run in float64."""
        return ""

    @cached_property
    def inputs(self) -> FileInputs:
        """The inputs of this cell."""
        return make_inputs(self._source, self._cell, self.list_inputs())

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Return the types of the inputs."""
        return tuple(each.dtype for each in self.inputs.inputs)

    def make_computation(self, dtype: Dtype) -> Callable[[Sequence[Array]], list[Array]]:
        """Return the computation of the results for a set of inputs, in float64 as frameworks return them."""
        step = self.make_step(dtype)
        return lambda inputs: [widen_values(each) for each in step(*inputs)]

    @cached_property
    def _step(self) -> Step:
        return self.make_step("float32")

    def draw_inputs(self, seed: int) -> tuple[Array, ...]:
        """Draw a set of inputs, or take it from the user's data."""
        drawn = self.inputs.draw(seed, self._seed)
        self._example = self._example or drawn
        return drawn

    def set_example(self, inputs: Sequence[Array]) -> None:
        """Use these inputs wherever the model is called without others."""
        self._example = tuple(inputs)

    def build(self) -> None:
        """Open the file; whatever is wrong with it shows now."""
        assert callable(self._step)

    def call_example(self) -> list[Array]:
        """Call the model on the first inputs."""
        return list(self._step(*self._example))

    def describe_outputs(self) -> list[tuple[tuple[int, ...], bool]]:
        """Return each output's shape; none has a gradient."""
        return [(each.shape, False) for each in self.call_example()]

    def name_random(self) -> str:
        """Return the operations that draw random numbers, in parentheses; empty: none is known to."""
        return ""

    def list_notes(self) -> list[str]:
        """Return what a reader of the results must know."""
        said = f"{self._source.title} computes with less than float32, so its results may differ by 4 %"
        return [said] if self.coarse else []

    def read_state(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return nothing: the weights stay in the file."""
        return {}, {}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Leave the weights in the file, as `read_state` does."""
        assert not state

    def find_trained(self, coefficients: Sequence[Array]) -> list[str]:  # noqa: ARG002 (other models have a loss)
        """Return nothing: there is no loss."""
        return []

    def count_flops(self, coefficients: Sequence[Array]) -> int:  # noqa: ARG002 (other models have a loss)
        """Count the operations of one call; 0: not counted."""
        return 0

    def finish(self, trained: Sequence[str], coefficients: Sequence[Array], *, plain: bool) -> Path:  # noqa: ARG002
        """Return the file."""
        return Path(self._source.file)
