"""Whether a cell computes what it was asked to: outputs and every gradient against the float64 reference.

What that gives is worked out here, or was worked out before by an implementation: `workers/expected.py`.

Each tensor is judged as a whole, by the 2-norm of its error over the 2-norm of the reference. Element by element,
correct float32 results fail the usual tolerances, and small gradients pass them whatever they are.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from schemas.event import Check
from schemas.job import Dtype, Task
from workers.arrays import Array, cast
from workers.training import Training
from workers.workloads import Parameters, Reference

FLOOR: Mapping[Dtype, float] = {"float64": 1e-12, "float32": 2e-6, "bfloat16": 4e-2}
"""Smallest tolerance of a relative 2-norm: well above faithful arithmetic, below every known semantic mistake."""

SELF_FACTOR = 8
"""A tolerance is at least this many times the error that the reference itself makes in float32."""

MOST = 1e-3
"""But never more than this in float32: where the reference itself loses more, or overflows, nothing could be told."""

LOSS = "loss"
OUTPUT = "output"


Tensors = dict[str, Array]
Evaluate = Callable[[DTypeLike], tuple[Tensors, dict[str, float]]]
"""Works out, in a floating dtype, the tensors that are due, and the scale on which an error in each is judged."""


class Expectation:
    """What one set of inputs, or a few steps of training, must give, and how far from it an honest result may be."""

    def __init__(self, evaluate: Evaluate, dtype: Dtype) -> None:
        self._dtype = dtype
        self.tensors, self._scales = evaluate(np.float64)
        self._own_error: dict[str, float] = {}
        if dtype == "float32":
            again, _ = evaluate(np.float32)
            self._own_error = {name: self._errors(name, value)[0] for name, value in again.items()}

    def check(self, outputs: Sequence[Array], inputs: str) -> tuple[Check, ...]:
        """Compare a step's outputs, in the order of the reference's, naming the inputs they belong to.

        A tensor that was not returned fails like one that is wrong, and so does one that nobody asked for.
        """
        missing, surplus = [np.empty(0)] * (len(self.tensors) - len(outputs)), len(outputs) - len(self.tensors)
        named = zip(self.tensors, [*outputs, *missing], strict=False)
        checks = [self._check(name, got, inputs) for name, got in named]
        if surplus > 0:
            checks.append(failed(f"{surplus} tensors beyond the {len(self.tensors)} that were due", inputs, 0.0))
        return tuple(checks)

    def tolerance(self, tensor: str) -> float:
        """Largest relative error of a right result; gradients may be off by twice as much as outputs."""
        own = SELF_FACTOR * self._own_error.get(tensor, 0.0)
        allowed = max(FLOOR[self._dtype], min(own, MOST) if math.isfinite(own) else 0.0)
        return allowed if tensor.startswith((OUTPUT, LOSS)) else 2 * allowed

    def _check(self, tensor: str, got: Array, inputs: str) -> Check:
        tolerance = self.tolerance(tensor)
        if got.shape != self.tensors[tensor].shape:
            return failed(tensor, inputs, tolerance)
        error, worst = self._errors(tensor, got)
        return Check(
            tensor=tensor, inputs=inputs, tolerance=tolerance, passed=error <= tolerance,
            error=error if math.isfinite(error) else None, worst=worst if math.isfinite(worst) else None,
        )  # fmt: skip

    def _errors(self, tensor: str, got: Array) -> tuple[float, float]:
        due = self.tensors[tensor]
        difference = got.astype(np.float64) - due
        norm = float(np.linalg.norm(difference)) / self._scales[tensor]
        largest = max(float(np.max(np.abs(due), initial=0.0)), self._scales[tensor] / math.sqrt(max(1, due.size)))
        return norm, float(np.max(np.abs(difference), initial=0.0)) / largest


def failed(tensor: str, inputs: str, tolerance: float) -> Check:
    """The check of something that cannot be compared at all."""
    return Check(tensor=tensor, inputs=inputs, error=None, worst=None, tolerance=tolerance, passed=False)


def of_call(
    reference: Reference, task: Task, parameters: Parameters, weights: Mapping[str, Array], inputs: Sequence[Array]
) -> Evaluate:
    """What one call of this task gives: the output, or the loss and its gradients.

    The scale is the tensor's 2-norm, and 1 for a tensor of zeros, which is judged absolutely. A loss may
    be small because its terms cancel; an honest error is then as large as if they had not. So the loss is judged
    on how far it moves when every weight w moves by w: sqrt(sum (dloss/dw w)^2), if that is more.
    """

    def evaluate(dtype: DTypeLike) -> tuple[Tensors, dict[str, float]]:
        known, given = all_cast(weights, dtype), [cast(value, dtype) for value in inputs]
        if task == "forward":
            return with_scales(outputs_by_name(reference.forward(parameters, known, *given)))
        return of_backward(*reference.backward(parameters, known, *given), known)

    return evaluate


def of_backward(
    loss: Any, gradients: Mapping[str, Array], weights: Mapping[str, Array]
) -> tuple[Tensors, dict[str, float]]:
    """A loss and its gradients at these weights, each with its scale."""
    moves = math.sqrt(sum(float(np.sum((gradients[name] * weights[name]) ** 2)) for name in gradients))
    tensors = {LOSS: np.asarray(loss)} | {f"gradient of {name}": value for name, value in gradients.items()}
    _, scales = with_scales(tensors)
    return tensors, scales | {LOSS: max(scales[LOSS], moves)}


def of_training(
    reference: Reference, task: Task, parameters: Parameters, weights: Mapping[str, Array],
    input_sets: Sequence[Sequence[Array]],
) -> Evaluate:  # fmt: skip
    """What a step on each of these sets of inputs, one after the other, gives: the losses, and how far weights moved.

    Moves are compared and not weights: they are small, and a weight that has hardly moved is always nearly right.
    """

    def evaluate(dtype: DTypeLike) -> tuple[Tensors, dict[str, float]]:
        training = Training(reference, task, parameters, all_cast(weights, dtype))
        losses = [training.step(*(cast(value, dtype) for value in inputs)) for inputs in input_sets]
        return with_scales(losses_by_name(losses) | moves(training.weights, weights))

    return evaluate


def losses_by_name(losses: Sequence[Any]) -> Tensors:
    """The losses of a few steps of training."""
    return {f"{LOSS} of step {number}": np.asarray(loss) for number, loss in enumerate(losses, 1)}


def moves(now: Mapping[str, Array], before: Mapping[str, Array]) -> Tensors:
    """How far each weight is from where it was."""
    return {f"move of {name}": np.asarray(now[name], np.float64) - before[name] for name in before}


def outputs_by_name(outputs: Array | tuple[Array, ...]) -> Tensors:
    """The output of a model, or its several outputs."""
    if not isinstance(outputs, tuple):
        return {OUTPUT: np.asarray(outputs)}
    return {f"{OUTPUT} {number}": np.asarray(output) for number, output in enumerate(outputs)}


def all_cast(weights: Mapping[str, Array], dtype: DTypeLike) -> Tensors:
    """The same weights in another floating dtype."""
    return {name: cast(weight, dtype) for name, weight in weights.items()}


def with_scales(tensors: Tensors) -> tuple[Tensors, dict[str, float]]:
    """Tensors with their norms for scales."""
    return tensors, {name: scale(tensor) for name, tensor in tensors.items()}


def scale(tensor: Array) -> float:
    """The 2-norm; 1 for a tensor of zeros."""
    return float(np.linalg.norm(tensor.astype(np.float64))) or 1.0


def verdict(checks: Sequence[Check]) -> str:
    """Why these checks make a cell wrong, in one sentence; empty if all passed."""
    wrong = [check for check in checks if not check.passed]
    if not wrong:
        return ""
    first = wrong[0]
    size = (
        "is missing, not finite, not due or of the wrong shape"
        if first.error is None
        else f"is off by {first.error:.2g}"
    )
    return f"{first.tensor} {size} (tolerance {first.tolerance:.2g}) on {first.inputs}" + (
        f", and {len(wrong) - 1} more checks failed" if len(wrong) > 1 else ""
    )
