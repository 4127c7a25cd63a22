"""The common part of the adapters of callables of a user's test."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas.job import Cell
from workers.arrays import Array
from workers.errors import Malformed, Unsupported
from workers.models.code.callables import CACHED_NOTE
from workers.models.code.source import ModelCode


class CallableAdapter:
    """The part that adapters of callables have in common: no inputs, no state, and results in any arrangement."""

    _code: ModelCode
    _cell: Cell

    plain = False
    """Results are flattened after each call."""

    def take_written(self) -> Callable[[], Any]:
        """Return the callable, whose data are built.

        Raises:
            Malformed: it is none.
            Unsupported: a mode would prepare it, and not measure it as it is.
        """
        found = self._code.build_model()
        if not callable(found):
            raise Malformed(f"{self._code.source.title} is a {type(found).__name__}; compare callables")
        return found

    def require_eager(self) -> None:
        """Check that no mode would compile the callable: without inputs, its results would be constants.

        Raises:
            Unsupported: one would.
        """
        if self._cell.mode != "eager":
            raise Unsupported("a callable of a test is measured as it is; compile it in the test, and leave out modes")

    def draw_inputs(self, seed: int) -> tuple[Array, ...]:  # noqa: ARG002 (there are none to draw)
        """Return no inputs."""
        return ()

    def read_state(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return nothing: a callable keeps its data to itself."""
        return {}, {}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Do nothing: there is no state but the callable's own."""

    def name_random(self) -> str:
        """Return an empty text: a callable has no layers."""
        return ""

    def list_notes(self) -> list[str]:
        """Return what a reader of the results must know."""
        return [CACHED_NOTE]

    def count_flops(self, coefficients: Sequence[Array]) -> int:  # noqa: ARG002 (the protocol's signature)
        """Return 0: another callable may compute the same by less arithmetic."""
        return 0
