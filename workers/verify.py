"""Whether a cell computes what it was asked to: outputs and every gradient against the float64 reference.

What that gives is worked out here, or was worked out before by an implementation: `workers/expected.py`.

Each tensor is judged as a whole, by the 2-norm of its error over the 2-norm of the reference. Element by element,
correct float32 results fail the usual tolerances, and small gradients pass them whatever they are.

A gradient jumps where a ReLU is at zero or two maxima are equal. Among millions of activations some are there but for
rounding, and then honest float32 results differ by more than arithmetic can. So where nothing but gradients fail, the
reference itself is worked out in float32 from data that differ by one rounding, several times, and what it jumps by is
allowed. Its loss does not jump, and is held to what it was.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike

from schemas.event import Check
from schemas.job import Dtype, Task
from workers.arrays import Array, cast, is_floating
from workers.training import Training
from workers.workloads import Parameters, Reference

FLOOR: Mapping[Dtype, float] = {"float64": 1e-12, "float32": 2e-6, "bfloat16": 4e-2}
"""Smallest tolerance of a relative 2-norm: well above faithful arithmetic, below every known semantic mistake."""

SELF_FACTOR = 8
"""A tolerance is at least this many times the error that the reference itself makes in float32."""

MOST = 1e-3
"""But never more than this in float32: where the reference itself loses more, or overflows, nothing could be told."""

ROUNDINGS = 8
"""So often the reference is worked out anew, each time from data whose last bit is another."""

ROUNDING = 2.0**-23
"""From a number to the next in float32, over the number, at most."""

JUMP_FACTOR = 2
"""A gradient may be off by so many times the most that the reference jumps by."""

MOST_OF_A_JUMP = 2e-2
"""But never by more than this."""

LOSS = "loss"
OUTPUT = "output"


Tensors = dict[str, Array]


class Evaluate(Protocol):
    """Works out, in a floating dtype, the tensors that are due, and the scale on which an error in each is judged.

    With a generator, from data of which each number is up to one rounding of float32 off, where there are data.
    """

    def __call__(self, dtype: DTypeLike, off: np.random.Generator | None = None, /) -> tuple[Tensors, dict[str, float]]:
        """Work them out."""


class Expectation:
    """What one set of inputs, or a few steps of training, must give, and how far from it an honest result may be.

    `jumps` keeps what gradients were found to jump by, for the next one that expects the same.
    """

    def __init__(self, evaluate: Evaluate, dtype: Dtype, jumps: dict[str, float] | None = None) -> None:
        self._dtype, self.evaluate = dtype, evaluate
        self._jumps = {} if jumps is None else jumps
        self.tensors, self._scales = evaluate(np.float64)
        self._own_error: dict[str, float] = {}
        if dtype == "float32":
            again, _ = evaluate(np.float32)
            self._own_error = {name: self._errors(name, value)[0] for name, value in again.items()}

    def check(self, outputs: Sequence[Array], inputs: str) -> tuple[Check, ...]:
        """Compare a step's outputs, in the order of the reference's, naming the inputs they belong to.

        A tensor that was not returned fails like one that is wrong, and so does one that nobody asked for.
        """
        checks = self._checks(outputs, inputs)
        if self._dtype == "float32" and not self._jumps and may_have_jumped(checks):
            for number in range(ROUNDINGS):
                again, _ = self.evaluate(np.float32, np.random.default_rng(number))
                for name, value in again.items():
                    self._jumps[name] = max(self._jumps.get(name, 0.0), self._errors(name, value)[0])
            checks = self._checks(outputs, inputs)
        return checks

    def _checks(self, outputs: Sequence[Array], inputs: str) -> tuple[Check, ...]:
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
        jump = min(JUMP_FACTOR * self._jumps.get(tensor, 0.0), MOST_OF_A_JUMP)
        return max(2 * allowed, jump) if jumps(tensor) else allowed

    def _check(self, tensor: str, got: Array, inputs: str) -> Check:
        tolerance = self.tolerance(tensor)
        if got.shape != self.tensors[tensor].shape:
            return failed(tensor, inputs, tolerance)
        error, worst = self._errors(tensor, got)
        return Check(
            tensor=tensor,
            inputs=inputs,
            tolerance=tolerance,
            passed=error <= tolerance,
            error=error if math.isfinite(error) else None,
            worst=worst if math.isfinite(worst) else None,
        )

    def _errors(self, tensor: str, got: Array) -> tuple[float, float]:
        due = self.tensors[tensor]
        difference = got.astype(np.float64) - due
        norm = float(np.linalg.norm(difference)) / self._scales[tensor]
        largest = max(float(np.max(np.abs(due), initial=0.0)), self._scales[tensor] / math.sqrt(max(1, due.size)))
        return norm, float(np.max(np.abs(difference), initial=0.0)) / largest


def jumps(tensor: str) -> bool:
    """Whether this is a gradient, or what comes of gradients."""
    return not tensor.startswith((OUTPUT, LOSS))


def may_have_jumped(checks: Sequence[Check]) -> bool:
    """Whether what fails are gradients alone, and none by more than jumps could explain."""
    wrong = [check for check in checks if not check.passed]
    return bool(wrong) and all(
        jumps(check.tensor) and check.error is not None and check.error <= MOST_OF_A_JUMP for check in wrong
    )


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

    def evaluate(dtype: DTypeLike, off: np.random.Generator | None = None) -> tuple[Tensors, dict[str, float]]:
        known, given = all_cast(weights, dtype, off), [cast(shaken(value, off), dtype) for value in inputs]
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
    reference: Reference,
    task: Task,
    parameters: Parameters,
    weights: Mapping[str, Array],
    input_sets: Sequence[Sequence[Array]],
) -> Evaluate:
    """What a step on each of these sets of inputs, one after the other, gives: the losses, and how far weights moved.

    Moves are compared and not weights: they are small, and a weight that has hardly moved is always nearly right.
    """

    def evaluate(dtype: DTypeLike, off: np.random.Generator | None = None) -> tuple[Tensors, dict[str, float]]:
        begun = all_cast(weights, dtype, off)
        training = Training(reference, task, parameters, dict(begun))
        losses = [training.step(*(cast(shaken(value, off), dtype) for value in inputs)) for inputs in input_sets]
        return with_scales(losses_by_name(losses) | moves(training.weights, begun))

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


def all_cast(weights: Mapping[str, Array], dtype: DTypeLike, off: np.random.Generator | None = None) -> Tensors:
    """The same weights in another floating dtype."""
    return {name: cast(shaken(weight, off), dtype) for name, weight in weights.items()}


def shaken(value: Array, off: np.random.Generator | None) -> Array:
    """Numbers, each up to one rounding of float32 off; integers, and without a generator all, as they are."""
    if off is None or not is_floating(value):
        return value
    return value * (1 + off.integers(-1, 2, value.shape) * ROUNDING)  # type: ignore[no-any-return]


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
