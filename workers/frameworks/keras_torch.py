"""Keras 3 on PyTorch: eager, and compiled by torch.compile."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

# Keras reads both when it is imported. On a machine with a GPU it would choose that one for every cell.
os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_TORCH_DEVICE"] = "cpu"

import torch

from schemas.event import Setting
from schemas.job import Cell
from workers.arrays import Array
from workers.frameworks import keras as keras_models
from workers.frameworks.torch import Framework as TorchFramework
from workers.frameworks.torch import choose_method
from workers.frameworks.torch_mode import Subject
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


class KerasModule(torch.nn.Module):
    """The parameters of a model of Keras, under the names that PyTorch's trainer looks for. Steps call the model."""

    def __init__(self, built: keras_models.BuiltModel) -> None:
        super().__init__()
        self.built = built
        for number, each in enumerate(built.trained):
            self.register_parameter(f"weight_{number}", each.value)
        for number, each in enumerate(built.running):
            self.register_buffer(f"running_{number}", each.value)
