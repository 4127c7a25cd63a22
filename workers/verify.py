"""Whether a cell computes what it was asked to: outputs and every gradient against the float64 reference.

Each tensor is judged as a whole, by the 2-norm of its error over the 2-norm of the reference. Element by element,
correct float32 results fail the usual tolerances, and small gradients pass them whatever they are.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from schemas.event import Check
from schemas.job import Dtype, Task
from workers.arrays import Array
from workers.workloads import Reference

FLOOR: Mapping[Dtype, float] = {"float64": 1e-12, "float32": 2e-6, "bfloat16": 4e-2}
"""Smallest tolerance of a relative 2-norm: well above faithful arithmetic, below every known semantic mistake."""

SELF_FACTOR = 8
"""A tolerance is at least this many times the error that the reference itself makes in float32."""

MOST = 1e-3
"""But never more than this in float32: where the reference itself loses more, or overflows, nothing could be told."""

LOSS = "loss"
OUTPUT = "output"


class Expectation:
    """What one set of inputs must give, and how far from it an honest result may be."""

    def __init__(
        self, reference: Reference, task: Task, dtype: Dtype, weights: Mapping[str, Array], inputs: Sequence[Array],
    ) -> None:  # fmt: skip
        self._dtype = dtype
        self.tensors, self._scales = evaluate(reference, task, weights, inputs)
        self._own_error: dict[str, float] = {}
        if dtype == "float32":
            single = {name: weight.astype(np.float32) for name, weight in weights.items()}
            again, _ = evaluate(reference, task, single, [value.astype(np.float32) for value in inputs])
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
        return allowed if tensor in (OUTPUT, LOSS) else 2 * allowed

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


def evaluate(
    reference: Reference, task: Task, weights: Mapping[str, Array], inputs: Sequence[Array]
) -> tuple[dict[str, Array], dict[str, float]]:
    """The reference's tensors by name, and the scale on which an error in each is judged.

    The scale is the tensor's 2-norm, and 1 for a tensor of zeros, which is judged absolutely. A loss may
    be small because its terms cancel; an honest error is then as large as if they had not. So the loss is judged
    on how far it moves when every weight w moves by w: sqrt(sum (dloss/dw w)^2), if that is more.
    """
    if task == "forward":
        output = np.asarray(reference.forward(weights, *inputs))
        return {OUTPUT: output}, {OUTPUT: scale(output)}
    loss, gradients = reference.backward(weights, *inputs)
    moves = math.sqrt(sum(float(np.sum((gradients[name] * weights[name]) ** 2)) for name in gradients))
    tensors = {LOSS: np.asarray(loss)} | {f"gradient of {name}": value for name, value in gradients.items()}
    scales = {name: scale(value) for name, value in tensors.items()}
    return tensors, scales | {LOSS: max(scales[LOSS], moves)}


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
