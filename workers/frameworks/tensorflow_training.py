"""Training in TensorFlow: the moments are variables, and explicit updates are part of the step."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from schemas.job import Task
from workers.interfaces import HasAllVariables, HasRunning
from workers.references.optimisers import adam, bias_corrections, sgd


class TensorFlowTrainer:
    """A model's variables and their moments."""

    def __init__(self, model: Any, task: Task) -> None:
        self._task = task
        self._weights, self._running = list(model.weights), list(model.running if isinstance(model, HasRunning) else ())
        self.returned = (
            list(model.all_variables) if isinstance(model, HasAllVariables) else [*self._weights, *self._running]
        )
        self._means = [tf.Variable(tf.zeros_like(weight)) for weight in self._weights]
        self._squares = [tf.Variable(tf.zeros_like(weight)) for weight in self._weights] if task != "train-sgd" else []
        # A variable, since tf.function traces again for every new Python number.
        self._steps = tf.Variable(tf.zeros((), self._weights[0].dtype))
        self.variables = [*self._weights, *self._running, *self._means, *self._squares, self._steps]
        # Copies, because training changes the variables themselves.
        self._first = [tf.identity(variable) for variable in self.variables]

    def apply_gradients(self, gradients: Sequence[Any]) -> list[Any]:
        """Update every weight by its gradient, and return the operations that a graph has to run for that."""
        return self._update_by_sgd(gradients) if self._task == "train-sgd" else self._update_by_adam(gradients)

    def _update_by_sgd(self, gradients: Sequence[Any]) -> list[Any]:
        made = []
        for weight, gradient, velocity in zip(self._weights, gradients, self._means, strict=True):
            made += assign_values((weight, velocity), sgd(weight, gradient, velocity))
        return made

    def _update_by_adam(self, gradients: Sequence[Any]) -> list[Any]:
        made, step = [], self._steps.assign_add(tf.ones_like(self._steps))
        corrected = bias_corrections(step, tf.math.expm1)
        for weight, gradient, mean, square in zip(self._weights, gradients, self._means, self._squares, strict=True):
            made += assign_values((weight, mean, square), adam(weight, gradient, mean, square, corrected, tf.sqrt))
        return made

    def state(self) -> tuple[Any, ...]:
        """Return the weights, then the statistics."""
        return tuple(tf.identity(variable) for variable in self.returned)

    def restart(self) -> None:
        """Restore the initial values of all variables."""
        for variable, first in zip(self.variables, self._first, strict=True):
            variable.assign(first)


def assign_values(variables: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """Assign each variable its new value."""
    return [variable.assign(value) for variable, value in zip(variables, values, strict=True)]
