"""Training in Keras: an optimiser of `keras.optimizers`, which updates all weights on any backend.

Its SGD and the decay of its AdamW are the reference's formulas. Its Adam adds epsilon before the second moment's bias
correction (the epsilon hat of Kingma and Ba 2015, section 2), and the reference adds it after. Both are one formula if
Keras has sqrt(1 - beta_2 ** step) times that epsilon, so it is set anew for each step.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
from keras import ops

from schemas.job import Task
from workers.references.optimisers import (
    ADAM_RATE,
    ADAPTIVE_UPDATES,
    BETAS,
    EPSILON,
    MOMENTUM,
    SGD_RATE,
    WEIGHT_DECAY,
    bias_corrections,
)

ADAM = {"learning_rate": ADAM_RATE, "beta_1": BETAS[0], "beta_2": BETAS[1]}
OPTIMISERS: dict[Task, Callable[[], Any]] = {
    "train-sgd": partial(keras.optimizers.SGD, learning_rate=SGD_RATE, momentum=MOMENTUM),
    "train-adam": partial(keras.optimizers.Adam, **ADAM),
    "train-adamw": partial(keras.optimizers.AdamW, **ADAM, weight_decay=WEIGHT_DECAY),
}


class Optimiser:
    """An optimiser of Keras that is built for a model's trained variables.

    `in_graph`: its steps are traced once, so the number of steps is no Python number in them.
    """

    def __init__(self, task: Task, trained: Sequence[Any], *, in_graph: bool) -> None:
        self._trained, self._in_graph = [*trained], in_graph
        self._is_adaptive = task in ADAPTIVE_UPDATES
        self._optimiser = OPTIMISERS[task]()
        self._optimiser.build(self._trained)
        # The number of steps, the rate, and the moments.
        self.variables = [*self._optimiser.variables]
        (self._count,) = (place for place, each in enumerate(self.variables) if each is self._optimiser.iterations)

    def update_weights(self, gradients: Sequence[Any]) -> None:
        """Update all trained variables by their gradients."""
        self._place_epsilon(self.variables[self._count].value)
        self._optimiser.apply(gradients, self._trained)

    def compute_update(
        self, values: Sequence[Any], gradients: Sequence[Any], weights: Sequence[Any]
    ) -> tuple[list[Any], list[Any]]:
        """Return the weights after a step and the values of `variables`, given those before it."""
        self._place_epsilon(values[self._count])
        weights, values = self._optimiser.stateless_apply([*values], [*gradients], [*weights])
        return [*weights], [*values]

    def list_moments(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """List the moments in these values of `variables` as the reference keeps them, then the number of steps."""
        first = self._select_values(values, "momentum")
        if not self._is_adaptive:
            # Keras keeps the velocity times the negative rate.
            return tuple(each / -SGD_RATE for each in first)
        return (*first, *self._select_values(values, "velocity"), ops.cast(values[self._count], keras.config.floatx()))

    def _select_values(self, values: Sequence[Any], kind: str) -> list[Any]:
        """Select the values of one kind of moment, in the order of the trained variables."""
        return [value for each, value in zip(self.variables, values, strict=True) if each.name.endswith(f"_{kind}")]

    def _place_epsilon(self, taken: Any) -> None:
        """Set Adam's epsilon for the step after so many."""
        if not self._is_adaptive:
            return
        if self._in_graph:
            _, corrected = bias_corrections(ops.cast(taken, keras.config.floatx()) + 1, ops.expm1)
            self._optimiser.epsilon = EPSILON * ops.sqrt(corrected)
        else:
            _, corrected = bias_corrections(int(taken) + 1, math.expm1)
            self._optimiser.epsilon = EPSILON * math.sqrt(corrected)
