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
from workers.frameworks.jax_training import Tree, Update
from workers.frameworks.keras_training import Optimiser
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

    def _choose_update(self, model: Any) -> Update:
        optimiser = Optimiser(self._cell.task, self._built.trained, in_graph=self._cell.mode != "eager")
        return KerasUpdate(optimiser, [*model.weights])

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
        self._loss = built.loss
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
            return self._loss(*inputs)

    def training_loss(self, weights: Tree, running: Tree, *inputs: Any) -> tuple[Any, Tree]:
        """Return the loss, and the statistics after it."""
        with self.enter_scope(weights, running) as scope:
            loss = self._loss(*inputs)
            return loss, {path: scope.get_current_value(each) for path, each in self._statistics.items()}

    def backward(self, weights: Tree, running: Tree, *inputs: Any) -> tuple[Any, ...]:
        loss, gradients = jax.value_and_grad(self.loss)(weights, running, *inputs)
        return (loss, *[gradients[path] for path in self.weights])


class KerasUpdate:
    """The update by an optimiser of Keras, as a function of the values of its variables.

    `paths` are those of the weights, in the order of the optimiser's.
    """

    def __init__(self, optimiser: Optimiser, paths: Sequence[str]) -> None:
        self._optimiser, self._paths = optimiser, paths

    def make_state(self, weights: Tree) -> list[Any]:
        """Return the values of the optimiser's variables before the first step."""
        return [each.value for each in self._optimiser.variables]

    def update_weights(self, weights: Tree, gradients: Tree, state: list[Any]) -> tuple[Tree, list[Any]]:
        """Return the weights and the values of the optimiser's variables after a step."""
        given = ([tree[path] for path in self._paths] for tree in (gradients, weights))
        moved, state = self._optimiser.compute_update(state, *given)
        return dict(zip(self._paths, moved, strict=True)), state

    def list_moments(self, state: list[Any], names: Sequence[str]) -> tuple[Any, ...]:
        """List the moments of all weights, which these names are, and the number of steps, where it matters."""
        return self._optimiser.list_moments(state)


def list_outputs(made: Any) -> tuple[Any, ...]:
    """Return a model's outputs as a tuple."""
    return (made,) if isinstance(made, jax.Array) else flatten_outputs(made, jax.tree.leaves)
