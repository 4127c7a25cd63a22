"""NumPy: the reference of each workload, timed as it stands, in the cell's dtype."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from schemas.event import Setting
from schemas.job import HALF_DTYPES, TRAINING_TASKS, Cell
from workers.arrays import Array, cast_floating, widen_values
from workers.errors import Unsupported
from workers.frameworks import classify_denormals, to_tuple
from workers.interfaces import Prepared, Shape, Step, select_running, select_trained
from workers.outputs import flatten_outputs
from workers.precision import check_precision
from workers.references.training import Training


class NumpyTrainer:
    """Training in NumPy, behind the protocol of every framework."""

    def __init__(self, training: Training) -> None:
        self._training = training

    def restart(self) -> None:
        """Restore the initial state."""
        self._training.restart()

    def state(self) -> tuple[Any, ...]:
        """Return the weights, then the statistics."""
        now = self._training.weights
        return (*select_trained(now).values(), *select_running(now).values())

    def read_moments(self) -> tuple[Any, ...]:
        """Return the moments, and the number of steps, where the update counts them."""
        return self._training.read_moments()


class Framework:
    """NumPy, which computes synchronously on the CPU. Its BLAS reads the number of threads from the environment."""

    implementation = "reference"

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        if cell.dtype == "bfloat16":
            raise Unsupported("NumPy does not compute in bfloat16; choose float32, float64 or float16")
        self._dtype = np.dtype(cell.dtype)

    def apply_settings(self) -> None:
        # The first product starts the threads of the BLAS, as part of this phase.
        np.ones((2, 2), self._dtype) @ np.ones((2, 2), self._dtype)

    def read_settings(self) -> Sequence[Setting]:
        tiny = np.full(4, np.finfo(np.float32).tiny, np.float32) * np.float32(0.5)
        return (Setting(name="denormals", asked=None, got=classify_denormals(float(tiny[0]))),)

    def build_info(self) -> str:
        return str(np.show_config(mode="dicts"))

    def arrays(self, values: Sequence[Array]) -> tuple[Any, ...]:
        return tuple(cast_floating(value, self._dtype) for value in values)

    def build(self, implementation: Any, weights: Mapping[str, Array]) -> Any:
        tensors = dict(zip(weights, self.arrays(list(weights.values())), strict=True))
        return implementation, tensors

    def step(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Prepared[Step]:
        step = self._make_step(*model)
        return Prepared(None, lambda: step)

    def _make_step(self, reference: Any, weights: Mapping[str, Array]) -> Step:
        sizes = self._cell.parameters
        if self._cell.task == "forward":
            return lambda *inputs: to_tuple(reference.forward(sizes, weights, *inputs))
        if self._cell.task in TRAINING_TASKS:
            return self._make_training_step(reference, weights)

        def compute_gradients(*inputs: Any) -> tuple[Any, ...]:
            loss, gradients = reference.backward(sizes, weights, *inputs)
            return (loss, *gradients.values())

        return compute_gradients

    def _make_training_step(self, reference: Any, weights: Mapping[str, Array]) -> Step:
        training = Training(reference, self._cell.task, self._cell.parameters, weights)
        self.trainer = NumpyTrainer(training)
        return lambda *inputs: (training.step(*inputs),)

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        """Do nothing: a call has finished when it returns."""

    def compilations(self) -> int | None:
        return None

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        outputs = flatten_outputs(outputs) if self._cell.task == "forward" else outputs
        # A formula may widen float32 by a constant of NumPy.
        check_precision([np.asarray(output).dtype for output in outputs], self._cell, more_is_fine=True)
        return [widen_values(output) for output in outputs]


def make_arithmetic(cell: Cell) -> Framework:
    """Return the NumPy that measures the peak rates of what computes half precision in float32.

    Without BLAS, NumPy's own products in float16 are a hundred times as slow, and it has no bfloat16.
    """
    return Framework(cell.model_copy(update={"dtype": "float32"}) if cell.dtype in HALF_DTYPES else cell)
