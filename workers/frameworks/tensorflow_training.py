"""Training in TensorFlow: the moments are variables, and explicit updates are part of the step."""

from collections.abc import Sequence
from typing import Any, Protocol

import tensorflow as tf

from schemas.job import OWN_TRAINING, Task
from workers.interfaces import HasAllVariables, HasRunning
from workers.references.optimisers import ADAPTIVE_UPDATES, bias_corrections, sgd


class Update(Protocol):
    """An update of weights, with the variables that it keeps."""

    variables: list[Any]

    def update_weights(self, gradients: Sequence[Any]) -> list[Any]:
        """Update every weight by its gradient, and return the operations that a graph has to run for that."""


class TensorFlowTrainer:
    """A model's variables, and the update that moves them."""

    def __init__(self, model: Any, update: Update) -> None:
        weights, running = list(model.weights), list(model.running if isinstance(model, HasRunning) else ())
        self.returned = list(model.all_variables) if isinstance(model, HasAllVariables) else [*weights, *running]
        self._update = update
        self.moments = update.variables
        self.variables = [*weights, *running, *self.moments]
        # Copies, because training changes the variables themselves.
        self._first = [tf.identity(variable) for variable in self.variables]

    def apply_gradients(self, gradients: Sequence[Any]) -> list[Any]:
        """Update every weight by its gradient, and return the operations that a graph has to run for that."""
        return self._update.update_weights(gradients)

    def state(self) -> tuple[Any, ...]:
        """Return the weights, then the statistics."""
        return tuple(tf.identity(variable) for variable in self.returned)

    def read_moments(self) -> tuple[Any, ...]:
        """Return the variables of the update: moments, and the number of steps, where it counts them."""
        return tuple(tf.identity(variable) for variable in self.moments)

    def restart(self) -> None:
        """Restore the initial values of all variables."""
        for variable, first in zip(self.variables, self._first, strict=True):
            variable.assign(first)


def choose_update(model: Any, task: Task) -> Update:
    """Choose the update of a model's weights that a task asks for."""
    weights = list(model.weights)
    if task == OWN_TRAINING:
        return OptimiserUpdate(model.make_optimiser(), weights)
    return MomentumUpdate(weights) if task == "train-sgd" else AdaptiveUpdate(weights, task)


class MomentumUpdate:
    """Stochastic gradient descent, with a variable for each velocity."""

    def __init__(self, weights: Sequence[Any]) -> None:
        self._weights, self.variables = weights, make_zeros(weights)

    def update_weights(self, gradients: Sequence[Any]) -> list[Any]:
        """Update every weight by its gradient, and return the operations that a graph has to run for that."""
        made = []
        for weight, gradient, velocity in zip(self._weights, gradients, self.variables, strict=True):
            made += assign_values((weight, velocity), sgd(weight, gradient, velocity))
        return made


class AdaptiveUpdate:
    """Adam or AdamW, with variables for both moments of each weight."""

    def __init__(self, weights: Sequence[Any], task: Task) -> None:
        self._weights, self._compute = weights, ADAPTIVE_UPDATES[task]
        self._means, self._squares = make_zeros(weights), make_zeros(weights)
        # A variable, since tf.function traces again for every new Python number.
        self._steps = tf.Variable(tf.zeros((), weights[0].dtype))
        self.variables = [*self._means, *self._squares, self._steps]

    def update_weights(self, gradients: Sequence[Any]) -> list[Any]:
        """Update every weight by its gradient, and return the operations that a graph has to run for that."""
        made, step = [], self._steps.assign_add(tf.ones_like(self._steps))
        corrected = bias_corrections(step, tf.math.expm1)
        for weight, gradient, mean, square in zip(self._weights, gradients, self._means, self._squares, strict=True):
            moved = self._compute(weight, gradient, mean, square, corrected, tf.sqrt)
            made += assign_values((weight, mean, square), moved)
        return made


class OptimiserUpdate:
    """The update by an optimiser of Keras that a model's file makes."""

    def __init__(self, optimiser: Any, weights: Sequence[Any]) -> None:
        self._optimiser, self._weights = optimiser, [*weights]
        optimiser.build(self._weights)
        self.variables = [each.value for each in optimiser.variables]

    def update_weights(self, gradients: Sequence[Any]) -> list[Any]:
        """Update every weight by its gradient. A function of TensorFlow runs the operations of this by itself."""
        self._optimiser.apply(gradients, self._weights)
        return []


def make_zeros(weights: Sequence[Any]) -> list[Any]:
    """Make a variable of zeros for each weight."""
    return [tf.Variable(tf.zeros_like(weight)) for weight in weights]


def assign_values(variables: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """Assign each variable its new value."""
    return [variable.assign(value) for variable, value in zip(variables, values, strict=True)]
