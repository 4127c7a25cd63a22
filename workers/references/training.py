"""Training in NumPy: the reference for the training of every framework, and a mode of NumPy itself."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from schemas.job import Task
from workers.arrays import Array
from workers.interfaces import HasStatistics, Parameters, Reference, select_trained
from workers.references.optimisers import ADAPTIVE_UPDATES, bias_corrections, sgd

# Weights are compared after several steps from the beginning, because the first has no momentum yet.
STEPS = 3


class Training:
    """The weights of a workload during its training."""

    def __init__(self, reference: Reference, task: Task, parameters: Parameters, weights: Mapping[str, Array]) -> None:
        self._reference, self._task, self._parameters, self._first = reference, task, parameters, weights
        # Asked here, because NumPy's own mode times every step.
        self._statistics = reference.statistics if isinstance(reference, HasStatistics) else None
        self.restart()

    def restart(self) -> None:
        """Reset weights and moments to the beginning."""
        self.weights = {name: weight.copy() for name, weight in self._first.items()}
        zeros = {name: np.zeros_like(each) for name, each in select_trained(self._first).items()}
        self._moments = {name: (each, each) for name, each in zeros.items()}
        self._steps = 0

    def read_moments(self) -> tuple[Any, ...]:
        """Return the first moments of all weights, and if the update keeps them, the second ones and the steps."""
        means, squares = zip(*self._moments.values(), strict=True)
        return means if self._task == "train-sgd" else (*means, *squares, np.float64(self._steps))

    def restore_state(self, weights: Mapping[str, Array], moments: Sequence[Array]) -> None:
        """Go on from these weights and moments, in the order in which they are read."""
        self.weights = dict(weights)
        names = list(self._moments)
        means, squares = moments[: len(names)], moments[len(names) : 2 * len(names)] or moments[: len(names)]
        self._moments = dict(zip(names, zip(means, squares, strict=True), strict=True))
        self._steps = 0 if self._task == "train-sgd" else round(float(moments[-1]))

    def step(self, *inputs: Array) -> Any:
        """Take one step on these inputs, and return the loss before it."""
        loss, gradients = self.compute_gradients(*inputs)
        self.apply_gradients(gradients, *inputs)
        return loss

    def compute_gradients(self, *inputs: Array) -> tuple[Any, Mapping[str, Array]]:
        """Return the loss on these inputs and its gradients at the weights of now."""
        return self._reference.backward(self._parameters, self.weights, *inputs)

    def apply_gradients(self, gradients: Mapping[str, Array], *inputs: Array) -> None:
        """Update weights and moments by these gradients, and statistics by these inputs."""
        moved = self._move_statistics(*inputs)
        self._steps += 1
        for name, gradient in gradients.items():
            self._update_weight(name, gradient)
        self.weights |= moved

    def _move_statistics(self, *inputs: Array) -> dict[str, Array]:
        return self._statistics(self._parameters, self.weights, *inputs) if self._statistics else {}

    def _update_weight(self, name: str, gradient: Array) -> None:
        weight, (mean, square) = self.weights[name], self._moments[name]
        if self._task == "train-sgd":
            weight, mean = sgd(weight, gradient, mean)
        else:
            update = ADAPTIVE_UPDATES[self._task]
            weight, mean, square = update(weight, gradient, mean, square, self._compute_corrections(), np.sqrt)
        dtype = self.weights[name].dtype  # a float64 scalar in the formulas may have widened float32
        self.weights[name], self._moments[name] = weight.astype(dtype), (mean.astype(dtype), square.astype(dtype))

    def _compute_corrections(self) -> tuple[float, float]:
        first, second = bias_corrections(self._steps, np.expm1)
        return float(first), float(second)
