"""Keras 3 on PyTorch: eager, and compiled by torch.compile."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

# Keras reads both when it is imported. On a machine with a GPU it would choose that one for every cell.
os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_TORCH_DEVICE"] = "cpu"

import torch

from schemas.event import Setting
from schemas.job import Cell, Task
from workers.arrays import Array
from workers.frameworks import keras as keras_models
from workers.frameworks.keras_training import Optimiser
from workers.frameworks.torch import Framework as TorchFramework
from workers.frameworks.torch import choose_method
from workers.frameworks.torch_mode import Subject
from workers.frameworks.torch_training import TorchTrainer
from workers.interfaces import Shape, select_running


class Framework(TorchFramework):
    """PyTorch with models of Keras, whose variables are parameters of PyTorch."""

    def __init__(self, cell: Cell) -> None:
        super().__init__(keras_models.to_backend_cell(cell))

    def apply_settings(self) -> None:
        super().apply_settings()
        keras_models.apply_defaults(self._cell)

    def read_settings(self) -> Sequence[Setting]:
        return [*super().read_settings(), *keras_models.read_defaults(self._cell, "torch")]

    def build(self, implementation: Any, weights: Mapping[str, Array]) -> Any:
        torch.set_default_dtype(self._dtype)
        self._running = {name: weight.shape for name, weight in select_running(weights).items()}
        self._built = keras_models.BuiltModel(self._cell, implementation, weights, self.arrays)
        return KerasModule(self._built)

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        return self._built.to_reference(arrays)

    def _make_subject(self, model: Any, example: tuple[Any, ...], shapes: Sequence[Shape]) -> Subject:
        written = model.built.model
        return Subject(model, choose_method(self._cell.task, written), example, shapes, written)

    def _make_trainer(self, model: Any) -> TorchTrainer:
        return KerasTrainer(model, partial(StepOptimiser, self._cell.task, model.built.trained), self._running)


class KerasModule(torch.nn.Module):
    """The parameters of a model of Keras, under the names that PyTorch's trainer looks for. Steps call the model."""

    def __init__(self, built: keras_models.BuiltModel) -> None:
        super().__init__()
        self.built = built
        for number, each in enumerate(built.trained):
            self.register_parameter(f"weight_{number}", each.value)
        for number, each in enumerate(built.running):
            self.register_buffer(f"running_{number}", each.value)


class StepOptimiser:
    """An optimiser of Keras with the two methods that a step of PyTorch calls.

    It is never compiled, like those of PyTorch, so it counts its steps in Python.
    """

    def __init__(self, task: Task, trained: Sequence[Any], parameters: Sequence[Any]) -> None:
        self._parameters = parameters
        self._optimiser = Optimiser(task, trained, in_graph=False)

    def zero_grad(self, *, set_to_none: bool) -> None:
        """Remove the gradients of the last step; none is ever set to zero."""
        assert set_to_none, "Keras removes gradients"
        for parameter in self._parameters:
            parameter.grad = None

    def step(self) -> None:
        """Update the parameters as Keras' own training does, without recording it for a gradient."""
        with torch.no_grad():
            self._optimiser.update_weights([parameter.grad for parameter in self._parameters])

    def read_moments(self) -> tuple[Any, ...]:
        """Return the moments of each parameter, and the number of steps, where it counts."""
        return self._optimiser.list_moments([each.value for each in self._optimiser.variables])


class KerasTrainer(TorchTrainer):
    """The parameters of a model of Keras, and an optimiser of Keras."""

    def read_moments(self) -> tuple[Any, ...]:
        """Return what the optimiser keeps of each parameter, and the number of its steps, where it counts them."""
        return self._optimiser.read_moments()
