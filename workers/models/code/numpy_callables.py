"""Callables of a user's test that return NumPy's arrays: without inputs, and with data of their own."""

from collections.abc import Callable

from workers.arrays import Array
from workers.models.code import numpy as numpy_models
from workers.models.code.callables import CACHED_NOTE
from workers.models.code.nested import Arrangement, seed_python


def prepare_test(seed: int) -> None:
    """Seed what a test draws from."""
    seed_python(seed)


def keep_state() -> Callable[[], None]:
    """Return what does nothing: NumPy has no state that a job changes."""
    return lambda: None


class Adapter(numpy_models.Adapter):
    """A callable of a user's test."""

    def draw_inputs(self, seed: int) -> tuple[Array, ...]:  # noqa: ARG002 (there are none to draw)
        """Return no inputs."""
        self._arrangement = Arrangement((), {}, self.kinds)
        return ()

    def list_notes(self) -> list[str]:
        """Return what a reader of the results must know."""
        return [CACHED_NOTE]
