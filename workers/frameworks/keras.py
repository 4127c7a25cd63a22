"""Keras 3 on any backend: what its modes share. Each backend has a file `keras_*.py`, which chooses it before this.

A backend's class is that of the backend itself, so settings, arrays, compilers and counts are the same ones. What
differs is the model: layers of Keras, with variables in a layout of their own. Training is in `keras_training.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import keras
import numpy as np
from keras.src.backend.common import dtypes

from schemas.event import Setting
from schemas.job import TRAINING_TASKS, Cell
from workers import contract
from workers.arrays import Array
from workers.frameworks import pair_settings
from workers.interfaces import HasRunning, HasTrainingLoss, select_trained
from workers.layout import to_reference_layout
from workers.precision import check_weight_precision

EPSILON = 1e-7

# The mode of the backend itself that prepares a step in the same way.
BACKEND_MODES = {
    "torch": "eager",
    "torch-compile": "compile",
    "tensorflow": "eager",
    "tensorflow-function": "function",
    "tensorflow-xla": "xla",
    "jax": "eager",
    "jax-jit": "jit",
}


@runtime_checkable
class ListsVariables(Protocol):
    """A model of Keras that lists the variables of its layers."""

    weights: Sequence[Any]


def to_backend_cell(cell: Cell) -> Cell:
    """Return the cell as the backend's own class understands it."""
    return cell.model_copy(update={"mode": BACKEND_MODES[cell.mode]})


def apply_defaults(cell: Cell) -> None:
    """Set what layers take when they are built: a user's keras.json may have anything there."""
    keras.config.set_floatx(cell.dtype)
    keras.config.set_dtype_policy(cell.dtype)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_epsilon(EPSILON)
    if cell.dtype == "float64":
        # Most backends would promote it to float32. Such a cell is never timed there: it checks another one closely.
        dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"


def read_defaults(cell: Cell, backend: str) -> tuple[Setting, ...]:
    """Read back the backend, and what layers take when they are built."""
    asked = {
        "Keras backend": backend,
        "Keras dtype": cell.dtype,
        "Keras image layout": "channels_last",
        "Keras epsilon": str(EPSILON),
    }
    got = {
        "Keras backend": keras.backend.backend(),
        "Keras dtype": keras.config.dtype_policy().name,
        "Keras image layout": keras.config.image_data_format(),
        "Keras epsilon": str(keras.config.epsilon()),
        "Keras flash attention": {None: "automatic", True: "on", False: "off"}[
            keras.config.is_flash_attention_enabled()
        ],
    }
    return pair_settings(asked, got)


class BuiltModel:
    """A workload's model, and the variables of its layers: trained ones, and statistics that training moves."""

    def __init__(
        self, cell: Cell, implementation: Any, weights: Mapping[str, Array], arrays: Callable[..., Sequence[Any]]
    ) -> None:
        """Build it with these weights, which `arrays` converts to the backend's tensors.

        Raises:
            Malformed: its variables are not those of the reference.
        """
        tensors = dict(zip(weights, arrays([*weights.values()]), strict=True))
        self.model = contract.find_model_class(implementation, cell.task)(cell.parameters, tensors)
        self.trained = [*self.model.weights] if isinstance(self.model, ListsVariables) else []
        self.running = [*self.model.running] if isinstance(self.model, HasRunning) else []
        moves_statistics = cell.task in TRAINING_TASKS and isinstance(self.model, HasTrainingLoss)
        self.loss: Any = self.model.training_loss if moves_statistics else getattr(self.model, "loss", None)
        self._names = list(select_trained(tensors))
        self._check_weights(cell, weights)

    def _check_weights(self, cell: Cell, weights: Mapping[str, Array]) -> None:
        """Check the precision, number and shapes of the variables."""
        kept = [*self.trained, *self.running]
        place = contract.find_place(type(self.model), "__init__")
        check_weight_precision({each.path: each.dtype for each in kept}, cell, place)
        if cell.task != "forward":
            own = self.to_reference([np.empty(tuple(each.shape)) for each in self.trained])
            how = "as a variable of a layer in the list `weights`"
            contract.check_model_weights(self.model, [each.shape for each in own], weights, how)

    def to_reference(self, arrays: Sequence[Array]) -> list[Array]:
        """Convert arrays that belong to the trained variables to the reference's layout; leave further ones alone."""
        number = len(self.trained)
        return [*to_reference_layout(self.model, arrays[:number], self._names), *arrays[number:]]

    def convert_outputs(self, cell: Cell, arrays: list[Array]) -> list[Array]:
        """Convert the gradients in a step's outputs."""
        return [arrays[0], *self.to_reference(arrays[1:])] if cell.task == "backward" else arrays
