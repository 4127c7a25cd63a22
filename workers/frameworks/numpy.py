"""NumPy: the reference of each workload, timed as it stands, in the cell's dtype."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from schemas.event import Setting
from schemas.job import Cell
from workers.arrays import Array
from workers.frameworks import Prepared, Shape, Step, Unsupported, flushed


class Framework:
    """NumPy, which computes at once and on the CPU. Its BLAS takes the number of threads from the environment."""

    implementation = "reference"

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        if cell.dtype not in ("float32", "float64"):
            raise Unsupported(f"NumPy does not compute in {cell.dtype}")
        self._dtype = np.dtype(cell.dtype)

    def configure(self) -> Sequence[Setting]:
        np.ones((2, 2), self._dtype) @ np.ones((2, 2), self._dtype)
        tiny = np.full(4, np.finfo(np.float32).tiny, np.float32) * np.float32(0.5)
        return (Setting(name="denormals", asked=None, got=flushed(float(tiny[0]))),)

    def build_info(self) -> str:
        return str(np.show_config(mode="dicts"))

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        return tuple(value.astype(self._dtype) for value in values)

    def build(self, implementation: Any, weights: Mapping[str, Array]) -> Any:
        tensors = dict(zip(weights, self.arrays(list(weights.values())), strict=True))
        return implementation, tensors

    def step(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared:
        step = self._step(*model)
        return Prepared(None, lambda: step)

    def _step(self, reference: Any, weights: Mapping[str, Array]) -> Step:
        if self._cell.task == "forward":
            return lambda *inputs: (reference.forward(weights, *inputs),)

        def backward(*inputs: Any) -> tuple[Any, ...]:
            loss, gradients = reference.backward(weights, *inputs)
            return (loss, *gradients.values())

        return backward

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        """Nothing is left to wait for."""

    def compilations(self) -> int | None:
        return None

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        return [np.asarray(output, np.float64) for output in outputs]
