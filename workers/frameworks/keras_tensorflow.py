"""Keras 3 on TensorFlow: eager, in a tf.function, and with that graph compiled by XLA."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

# Keras reads it when it is imported.
os.environ["KERAS_BACKEND"] = "tensorflow"

from schemas.event import Setting
from schemas.job import Cell
from workers.arrays import Array
from workers.frameworks import keras as keras_models
from workers.frameworks.keras_training import Optimiser
from workers.frameworks.tensorflow import Framework as TensorFlowFramework
from workers.frameworks.tensorflow_training import TensorFlowTrainer


class Framework(TensorFlowFramework):
    """TensorFlow with models of Keras, whose variables are variables of TensorFlow."""

    def __init__(self, cell: Cell) -> None:
        super().__init__(keras_models.to_backend_cell(cell))

    def apply_settings(self) -> None:
        super().apply_settings()
        keras_models.apply_defaults(self._cell)

    def read_settings(self) -> Sequence[Setting]:
        return [*super().read_settings(), *keras_models.read_defaults(self._cell, "tensorflow")]

    def build(self, implementation: Any, weights: Mapping[str, Array]) -> Any:
        self._built = keras_models.BuiltModel(self._cell, implementation, weights, self.arrays)
        return KerasVariables(self._built)

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        return self._built.to_reference(arrays)

    def _make_trainer(self, model: Any) -> TensorFlowTrainer:
        optimiser = Optimiser(self._cell.task, self._built.trained, in_graph=self._cell.mode != "eager")
        return KerasTrainer(model, KerasUpdate(optimiser))


class KerasVariables:
    """A model of Keras with the variables of TensorFlow that its own variables hold."""

    def __init__(self, built: keras_models.BuiltModel) -> None:
        self._model = built.model
        self.weights = [each.value for each in built.trained]
        self.running = [each.value for each in built.running]
        self.loss = built.loss

    def __call__(self, *inputs: Any) -> Any:
        return self._model(*inputs)


class KerasUpdate:
    """The update by an optimiser of Keras, with the variables of TensorFlow that its own variables hold."""

    def __init__(self, optimiser: Optimiser) -> None:
        self.optimiser = optimiser
        self.variables = [each.value for each in optimiser.variables]

    def update_weights(self, gradients: Sequence[Any]) -> list[Any]:
        """Update every weight by its gradient. A function of TensorFlow runs the operations of this by itself."""
        self.optimiser.update_weights(gradients)
        return []


class KerasTrainer(TensorFlowTrainer):
    """The variables of a model of Keras, and an optimiser of Keras."""

    def __init__(self, model: KerasVariables, update: KerasUpdate) -> None:
        super().__init__(model, update)
        self._optimiser = update.optimiser

    def read_moments(self) -> tuple[Any, ...]:
        """Return what the optimiser keeps of each weight, and the number of its steps, where it counts them."""
        return self._optimiser.list_moments(super().read_moments())
