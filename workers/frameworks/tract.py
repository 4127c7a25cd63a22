"""tract on the CPU: a runnable plan of the ONNX model that another framework exported."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tract

from schemas.event import Setting
from schemas.job import Cell
from workers.arrays import Array, cast_floating, widen_values
from workers.errors import Unsupported
from workers.frameworks import check_output_types, classify_denormals, pair_settings
from workers.frameworks import numpy as host
from workers.interfaces import Prepared, Shape, Step
from workers.precision import check_precision


class Framework:
    """tract, whose tensors have no operators: NumPy measures the machine. A call runs in the calling thread."""

    def __init__(self, cell: Cell) -> None:
        if cell.threads > 1 and cell.track == "parity":
            raise Unsupported("tract runs a model in the calling thread alone; choose --threads 1")
        self._cell = cell
        self.arithmetic = host.Framework(cell)

    def apply_settings(self) -> None:
        """Do nothing: tract has no settings."""

    def read_settings(self) -> Sequence[Setting]:
        tiny = np.full(4, np.finfo(np.float32).tiny, np.float32) * np.float32(0.5)
        return pair_settings({}, {"denormals": classify_denormals(float(tiny[0]))})

    def build_info(self) -> str:
        return f"tract {tract.version()}"

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        return tuple(tract.Tensor.from_numpy(cast_floating(value, self._cell.dtype)) for value in values)

    def build(self, implementation: Path, weights: Mapping[str, Array]) -> Any:
        """Return the path of the file, which holds the weights."""
        return implementation

    def step(self, model: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        def load_file() -> Prepared[Step]:
            try:
                loaded = tract.onnx().load(str(model)).into_model()
            except tract.TractError as error:
                raise Unsupported(f"tract cannot load it: {join_causes(str(error))}") from error
            return Prepared("compile", lambda: make_step(loaded.into_runnable()))

        return Prepared("load", load_file)

    def restoring(self, path: Path, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        return self.step(path, example, shapes)

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        """Do nothing: `run` returns when everything has been computed."""

    def compilations(self) -> int | None:
        """Return None: nothing is compiled after the plan is made."""
        return None

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        check_output_types(outputs, tract.Tensor)
        arrays = [output.to_numpy() for output in outputs]
        check_precision([array.dtype for array in arrays], self._cell)
        return [widen_values(array) for array in arrays]


def join_causes(message: str) -> str:
    """Return the first line of tract's message and its last cause, without the backtrace."""
    lines = [line.strip() for line in message.partition("Stack backtrace:")[0].splitlines() if line.strip()]
    first, last = lines[0], re.sub(r"^\d+: ", "", lines[-1]).removesuffix(".")
    return first if len(lines) == 1 else f"{first}: {last}"


def make_step(runnable: Any) -> Step:
    """Return a step that runs a plan on tensors."""
    run = runnable.run
    return lambda *inputs: tuple(run(inputs))
