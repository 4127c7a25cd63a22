"""Keras 3 on JAX: eager, and compiled by jax.jit."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

# Keras reads it when it is imported.
os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras

from schemas.event import Setting
from schemas.job import Cell
from workers.arrays import Array
from workers.frameworks import keras as keras_models
from workers.frameworks.jax import Framework as JaxFramework
from workers.frameworks.jax_training import Tree
from workers.interfaces import Step
from workers.outputs import flatten_outputs


class Framework(JaxFramework):
    """JAX with models of Keras, whose variables a stateless scope replaces by the arguments of a function."""

    def __init__(self, cell: Cell) -> None:
        super().__init__(keras_models.to_backend_cell(cell))

    def apply_settings(self) -> None:
        super().apply_settings()
        keras_models.apply_defaults(self._cell)

    def read_settings(self) -> Sequence[Setting]:
        return [*super().read_settings(), *keras_models.read_defaults(self._cell, "jax")]

    def build(self, implementation: Any, weights: Mapping[str, Array]) -> Any:
        self._built = keras_models.BuiltModel(self._cell, implementation, weights, self.arrays)
        return StatelessModel(self._built)

    def _make_step(self, model: Any, compute: Any) -> Step:
        if self._cell.mode == "eager" and self._cell.task == "forward":
            return lambda *inputs: list_outputs(model.call(*inputs))  # its variables hold the weights
        return super()._make_step(model, compute)

    def to_reference(self, arrays: list[Array]) -> list[Array]:
        """Convert arrays that belong to the model's variables to the reference's layout."""
        return self._built.to_reference(arrays)

    def to_numpy(self, outputs: tuple[Any, ...]) -> list[Array]:
        return self._built.convert_outputs(self._cell, super().to_numpy(outputs))


class StatelessModel:
    """A model of Keras as functions of its weights, which are arguments of all that is differentiated or compiled."""

    def __init__(self, built: keras_models.BuiltModel) -> None:
        self.call: Any = built.model
        self._trained = {each.path: each for each in built.trained}
        self._statistics = {each.path: each for each in built.running}
        self.weights: Tree = {path: each.value for path, each in self._trained.items()}
        self.running: Tree = {path: each.value for path, each in self._statistics.items()}

    def enter_scope(self, weights: Tree, running: Tree) -> Any:
        """Return a scope in which the variables have these values."""
        pairs = [(self._trained[path], value) for path, value in weights.items()]
        pairs += [(self._statistics[path], value) for path, value in running.items()]
        return keras.StatelessScope(state_mapping=pairs)

    def forward(self, weights: Tree, running: Tree, *inputs: Any) -> tuple[Any, ...]:
        with self.enter_scope(weights, running):
            return list_outputs(self.call(*inputs))

    def loss(self, weights: Tree, running: Tree, *inputs: Any) -> Any:
        with self.enter_scope(weights, running):
            return self.call.loss(*inputs)

    def backward(self, weights: Tree, running: Tree, *inputs: Any) -> tuple[Any, ...]:
        loss, gradients = jax.value_and_grad(self.loss)(weights, running, *inputs)
        return (loss, *[gradients[path] for path in self.weights])


def list_outputs(made: Any) -> tuple[Any, ...]:
    """Return a model's outputs as a tuple."""
    return (made,) if isinstance(made, jax.Array) else flatten_outputs(made, jax.tree.leaves)
