"""Verification of a cell's outputs and every gradient against the float64 reference.

The reference is evaluated here, or its results were stored earlier by an implementation: `stored_reference.py`.

Each tensor is judged as a whole, by the 2-norm of its error over the 2-norm of the reference. Element by element,
correct float32 results fail the usual tolerances, and small gradients pass them even when wrong.

A gradient jumps where a ReLU is at zero or two maxima are equal. Among millions of activations some are within rounding
of that point, and honest float32 results then differ by more than arithmetic can. So where only gradients fail, the
reference itself is evaluated several times in float32, from data that differ by one rounding. The jumps of its
gradients are allowed. Its loss does not jump, and keeps its tolerance.

A loss is a mean. Added one by one, as XLA does on a CPU, n numbers are off by up to about sqrt(n) unit roundoffs
(Higham and Mary, SIAM J. Sci. Comput. 41, 2019), which NumPy's sums of sums are not. So a loss in float32 may be off by
that.

In float64 the reference rounds as much as the cell. Where a result differs by more than the usual tolerance, the
reference is evaluated in long double too, and from data with other last bits: the first shows what it loses itself, the
others what anybody loses.

A user's model has no such reference. Its reference process runs the model itself several times, in the cell's dtype and
from inputs and weights with other last bits. These runs show which accuracy is within reach of any mode. A tensor that
they move far is ill-conditioned: its tolerance is as wide, so it is verified in float64 too, where it is narrow.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike

from schemas.event import TensorCheck
from schemas.job import Dtype, Task
from workers.arrays import Array, cast_floating, is_floating, widen_values
from workers.interfaces import RUNNING_PREFIX, Parameters, Reference
from workers.outputs import flatten_outputs, list_parts
from workers.references.training import STEPS, Training
from workers.verification.sketch import count_sums, sketch_tensor

# Smallest tolerance of a relative 2-norm: well above faithful arithmetic, below every known semantic mistake. Both half
# precisions have ten times their unit roundoff.
MIN_TOLERANCE: Mapping[Dtype, float] = {"float64": 1e-12, "float32": 2e-6, "bfloat16": 4e-2, "float16": 5e-3}

# A tolerance is at least this many times the error that the reference itself makes in float32.
SELF_FACTOR = 8

# The limit of that in float32: where the reference itself loses more, or overflows, a check would prove nothing.
MAX_TOLERANCE = 1e-3

# The limit where each mode is verified in float64 too: a reference that loses digits in float32 is no reason to refuse.
MAX_LOSSY_TOLERANCE = 0.5

# Evaluations of the reference, each from data with other last bits.
ROUNDINGS = 8

# The largest relative distance between two neighbouring numbers.
ROUNDING: Mapping[Dtype, float] = {"float64": 2.0**-52, "float32": 2.0**-23, "bfloat16": 2.0**-7, "float16": 2.0**-10}

# A gradient may be off by this many times the largest jump of the reference, and any result of a model by this many
# times what other last bits do to it.
JUMP_FACTOR = 2

# An error in single precision is rounding if it is at most this many times what other last bits do to the result. Deep
# networks round so often that it is 7 times in some; a step that is another one in float32 makes it thousands of times.
EXPLAINED = 30

# A tensor is ill-conditioned if other last bits move it by more than 100 times its usual tolerance, or a tenth.
# A gradient has twice the usual tolerance. A move may go further in single precision: Adam divides small gradients by
# their size, and their errors with them.
ILL_CONDITIONED: Mapping[Dtype, float] = {"float64": 1e-10, "float32": 2e-4, "bfloat16": 0.1, "float16": 0.1}
ILL_CONDITIONED_MOVE = 1e-2

# The limit of the tolerance that last bits give an output or a loss. With a wide one, no mode could be told from one
# that computes nothing.
MAX_OUTPUT_JUMP = 0.1

# The tolerance in float64 of a tensor that is ill-conditioned in another dtype: well above rounding even there, and
# below every known semantic mistake.
RECHECK_TOLERANCE = 1e-9

# The limit of that: a larger error is no jump.
MAX_JUMP = 2e-2

# Half the distance from 1 to the next number: the largest relative error of one rounding.
UNIT_ROUNDOFF: Mapping[Dtype, float] = {
    "float64": 2.0**-53,
    "float32": 2.0**-24,
    "bfloat16": 2.0**-8,
    "float16": 2.0**-11,
}

# A gradient, or a move, that is a smaller part of all of them together is the rounding of one that is zero: that of a
# bias before a normalisation, say. Adam divides a gradient by its own size, so such moves may have any size in float32.
NEGLIGIBLE_GRADIENT, NEGLIGIBLE_MOVE = 1e-10, 1e-6

# The tolerance in float64 of a cell in float32, whose code may keep some numbers in float32: an error below that is no
# lower precision.
PRECISION_TOLERANCE = 2e-6
# An error that half precision can make; a larger one is another computation.
MOST_LOST = 0.1
# Evaluations from data with other last bits, and how many times as far a right result may be off: of deep networks it
# is up to 7 times.
PRECISION_ROUNDINGS = 3
PRECISION_FACTOR = 10
# The limit of what the reference's own error allows in float64: an error of single precision is larger.
MAX_TOLERANCE_IN_FLOAT64 = 1e-8

# A loss, or a move, that is a smaller part of what it was in the first steps is rounding.
NEGLIGIBLE_PART = 1e-6

# A tensor of class scores has at least an axis of examples and two classes.
FEWEST_AXES, FEWEST_COLUMNS = 2, 2

LOSS = "loss"
OUTPUT = "output"
MOVE = "move of "


Tensors = dict[str, Array]


class Evaluate(Protocol):
    """Function that computes the expected tensors in a floating dtype, and the scale of the error in each.

    With a generator, each number of the data is up to one rounding of this dtype off, where there are data.
    """

    def __call__(
        self, dtype: DTypeLike, off: np.random.Generator | None = None, rounding: Dtype = "float32", /
    ) -> tuple[Tensors, dict[str, float]]:
        """Compute them."""


class Expectation:
    """The expected results of one set of inputs, or of a few steps of training, with their tolerances.

    `jumps` keeps how far gradients were found to jump, for the next expectation of the same results. `roundings`
    evaluate in the cell's dtype from data with other last bits; how far they move a tensor bounds its tolerance from
    below. `trained` are the weights whose moves are expected, by name. `limit` bounds the tolerance that a multiple of
    the reference's own error gives, and `least` is that of exact results. `count_summands` counts the numbers whose
    mean a loss is.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        dtype: Dtype,
        jumps: dict[str, float] | None = None,
        roundings: Sequence[Evaluate] = (),
        trained: Mapping[str, Array] = MappingProxyType({}),
        limit: float = MAX_TOLERANCE,
        least: float | None = None,
        count_summands: Callable[[], int] = lambda: 1,
    ) -> None:
        self._has_roundings = bool(roundings)
        self._least = MIN_TOLERANCE[dtype] if least is None else least
        self._dtype, self.evaluate, self._trained, self._limit = dtype, evaluate, trained, limit
        self._jumps = {} if jumps is None else jumps
        self.tensors, self._scales = evaluate(np.float64)
        # Their errors are judged as parts of all gradients or moves.
        self._negligible = find_negligible(self.tensors)
        self._scales = {**self._scales, **self._negligible}
        self._own_error: dict[str, float] = {}
        self._moved: dict[str, float] = {}
        self._is_widened = False
        self._count_summands, self._summands = count_summands, 1
        first = self.tensors if dtype == "float64" else {}
        for again in (*([evaluate] if dtype == "float32" else []), *roundings):
            tensors, _ = again(np.float32)
            first = first or tensors
            for name, value in tensors.items():
                self._own_error[name] = max(self._own_error.get(name, 0.0), self._measure_errors(name, value)[0])
                change = measure_change(value, first[name]) / self._scales[name]
                self._moved[name] = max(self._moved.get(name, 0.0), change)

    def count_bytes(self) -> int:
        """Return the size of the expected tensors."""
        return sum(tensor.nbytes for tensor in self.tensors.values())

    def list_lossy(self) -> dict[str, float]:
        """Return how far the reference itself is off in float32, for each tensor in which it loses digits."""
        known = self._own_error if self._dtype == "float32" and not self._has_roundings else {}
        lossy = {tensor: error for tensor, error in known.items() if MAX_TOLERANCE < SELF_FACTOR * error < math.inf}
        return {tensor: error for tensor, error in lossy.items() if tensor not in self._negligible}

    def check_tensors(self, outputs: Sequence[Array], inputs: str) -> tuple[TensorCheck, ...]:
        """Compare a step's outputs, in the order of the reference's; `inputs` names the inputs they belong to.

        A missing tensor fails like a wrong one, and so does a superfluous one.
        """
        checks = self._compare_tensors(outputs, inputs)
        if self._dtype == "float32" and self._summands == 1 and not all(map(is_right_loss, checks)):
            self._summands = self._count_summands()
            checks = self._compare_tensors(outputs, inputs)
        if self._dtype == "float32" and not (self._jumps or self._has_roundings) and can_have_jumped(checks):
            self._find_jumps()
            checks = self._compare_tensors(outputs, inputs)
        elif self._may_widen() and not all(check.passed or check.error is None for check in checks):
            self._widen_by_conditioning()
            checks = self._compare_tensors(outputs, inputs)
        return checks

    def _find_jumps(self) -> None:
        """Find how far the reference's own gradients jump in float32."""
        for number in range(ROUNDINGS):
            # Seeded by number, so that all jobs of a cell allow the same jumps.
            again, _ = self.evaluate(np.float32, np.random.default_rng(number))
            for name, value in again.items():
                self._jumps[name] = max(self._jumps.get(name, 0.0), self._measure_errors(name, value)[0])

    def _may_widen(self) -> bool:
        """Return whether the conditioning in float64 can be found, and has not been yet."""
        return self._dtype == "float64" and not (self._is_widened or self._has_roundings)

    def _widen_by_conditioning(self) -> None:
        """Find what the reference loses in float64, and how far last bits of the data move each tensor."""
        self._is_widened = True
        self._moved = measure_moves(self.evaluate, self.tensors, self._scales, "float64")
        with suppress(Exception):  # a reference need not know this dtype
            for name, value in self.evaluate(np.longdouble)[0].items():
                self._own_error[name] = self._measure_errors(name, value)[0]

    def sketch_tensors(self, checks: Sequence[TensorCheck], outputs: Sequence[Array]) -> tuple[TensorCheck, ...]:
        """Add to the checks of a step's outputs the sketches by which they can be compared with other cells'."""
        size, sketched = count_sums(len(self.tensors)), list[TensorCheck]()
        for check, got in zip(checks, outputs[: len(self.tensors)], strict=False):
            scale = self._scales[check.tensor]
            known = {"sketch": sketch_tensor(got, size), "scale": scale if math.isfinite(scale) else None}
            sketched.append(check.model_copy(update=known))
        return (*sketched, *checks[len(sketched) :])

    def _compare_tensors(self, outputs: Sequence[Array], inputs: str) -> tuple[TensorCheck, ...]:
        missing, surplus = [np.empty(0)] * (len(self.tensors) - len(outputs)), len(outputs) - len(self.tensors)
        named = zip(self.tensors, [*outputs, *missing], strict=False)
        checks = [self._compare_tensor(name, got, inputs) for name, got in named]
        if surplus > 0:
            checks.append(make_failed_check(f"{surplus} tensors beyond the {len(self.tensors)} expected", inputs, 0.0))
        return tuple(checks)

    def compute_tolerance(self, tensor: str) -> float:
        """Return the largest relative error of a right result; gradients may be off by twice as much as outputs."""
        own, limit = SELF_FACTOR * self._own_error.get(tensor, 0.0), self._limit
        if self._is_widened:
            own = min(own, MAX_TOLERANCE_IN_FLOAT64)
            own, limit = max(own, PRECISION_FACTOR * self._moved[tensor]), MAX_OUTPUT_JUMP
        if tensor in self._negligible:
            own, limit = max(own, choose_threshold(tensor)), math.inf
        allowed = max(self._least, min(own, limit) if math.isfinite(own) else 0.0)
        if tensor.startswith(LOSS):
            allowed = max(allowed, min(MAX_TOLERANCE, math.sqrt(self._summands) * UNIT_ROUNDOFF[self._dtype]))
        allowed *= 2 if can_jump(tensor) else 1
        return max(allowed, self._bound_jump(tensor)) + self._bound_rounding(tensor)

    def list_ill_conditioned(self) -> dict[str, float]:
        """Return how far other last bits move each tensor that they move far, as a part of its norm."""
        moved = self._moved if self._has_roundings or self._is_widened else {}
        least = {tensor: self._bound_conditioning(tensor) for tensor in moved.keys() - self._negligible}
        return {tensor: moved[tensor] for tensor, size in least.items() if size < moved[tensor] < math.inf}

    def _bound_conditioning(self, tensor: str) -> float:
        """Return how far last bits may move a tensor that is not ill-conditioned."""
        usual = ILL_CONDITIONED[self._dtype] * (2 if can_jump(tensor) else 1)
        return max(usual, ILL_CONDITIONED_MOVE) if tensor.startswith(MOVE) and self._dtype != "float64" else usual

    def _bound_jump(self, tensor: str) -> float:
        """Return the largest relative error that other last bits explain."""
        moved = self._moved.get(tensor, 0.0)
        if self._has_roundings and math.isfinite(moved):
            # An error that is much larger than what last bits do is no rounding.
            explained = JUMP_FACTOR * min(self._own_error[tensor], EXPLAINED * moved)
            return explained if can_jump(tensor) else min(explained, MAX_OUTPUT_JUMP)
        jump = self._jumps.get(tensor, 0.0)
        return min(JUMP_FACTOR * jump, MAX_JUMP) if can_jump(tensor) and math.isfinite(jump) else 0.0

    def _bound_rounding(self, tensor: str) -> float:
        """Return the largest relative error of a move that comes from rounding the weight beside it, step by step."""
        weight = self._trained.get(tensor.removeprefix(MOVE))
        if weight is None or not tensor.startswith(MOVE):
            return 0.0
        moved = np.where(self.tensors[tensor] == 0, 0, weight)
        return STEPS * UNIT_ROUNDOFF[self._dtype] * float(np.linalg.norm(moved)) / self._scales[tensor]

    def _compare_tensor(self, tensor: str, got: Array, inputs: str) -> TensorCheck:
        tolerance = self.compute_tolerance(tensor)
        if got.shape != self.tensors[tensor].shape:
            return make_failed_check(tensor, inputs, tolerance)
        error, worst = self._measure_errors(tensor, got)
        return TensorCheck(
            tensor=tensor,
            inputs=inputs,
            tolerance=tolerance,
            passed=error <= tolerance,
            error=error if math.isfinite(error) else None,
            worst=worst if math.isfinite(worst) else None,
            equal_argmax=compute_equal_argmax(got, self.tensors[tensor]) if tensor.startswith(OUTPUT) else None,
        )

    def _measure_errors(self, tensor: str, got: Array) -> tuple[float, float]:
        due = self.tensors[tensor]
        difference = widen_values(got) - due
        norm = float(np.linalg.norm(difference)) / self._scales[tensor]
        largest = max(float(np.max(np.abs(due), initial=0.0)), self._scales[tensor] / math.sqrt(max(1, due.size)))
        return norm, float(np.max(np.abs(difference), initial=0.0)) / largest


def compute_equal_argmax(got: Array, due: Array) -> float | None:
    """Return the share of rows along the last axis whose largest value is where the reference's is.

    Return None for a tensor that has no such rows: of less than two axes or two columns, or of other numbers than real
    ones. Of equal largest values, the first counts.
    """
    if due.ndim < FEWEST_AXES or due.shape[-1] < FEWEST_COLUMNS or due.size == 0 or due.dtype.kind != "f":
        return None
    return float(np.mean(np.argmax(got, axis=-1) == np.argmax(due, axis=-1)))


def join_largest(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the largest number of each tensor in any of these."""
    found: dict[str, float] = {}
    for part in parts:
        for tensor, number in part.items():
            found[tensor] = max(number, found.get(tensor, 0.0))
    return found


def hold_strictly(checks: Iterable[TensorCheck]) -> tuple[TensorCheck, ...]:
    """Return the checks with the usual limit of their tolerances."""
    return tuple(
        check.model_copy(
            update={"tolerance": MAX_TOLERANCE, "passed": check.passed and (check.error or 0.0) <= MAX_TOLERANCE}
        )
        if check.tolerance > MAX_TOLERANCE
        else check
        for check in checks
    )


class Precision:
    """The expected results in float64 of a mode that is measured in float32: half precision inside stays visible there.

    The tolerance follows from what last bits of float32 do to the result. Where that is much, nothing is compared.
    """

    def __init__(self, evaluate: Evaluate) -> None:
        self._tensors, self._scales = evaluate(np.float64)
        moved = measure_moves(evaluate, self._tensors, self._scales, "float32")
        self._tolerances = {name: max(PRECISION_TOLERANCE, PRECISION_FACTOR * each) for name, each in moved.items()}

    def count_bytes(self) -> int:
        """Return the size of the expected tensors."""
        return sum(tensor.nbytes for tensor in self._tensors.values())

    def check_tensors(self, outputs: Sequence[Array], inputs: str, *, is_drawn: bool) -> tuple[TensorCheck, ...]:
        """Compare a step's outputs; `is_drawn` says that the workload draws such inputs.

        Of others, an implementation may be right to compute something else. So only an error of the size that a lower
        precision makes counts there, and none in a gradient, which may jump.
        """
        checks = list[TensorCheck]()
        for (name, due), got in zip(self._tensors.items(), outputs, strict=False):
            tolerance = self._tolerances[name]
            error = measure_change(got, due) / self._scales[name] if got.shape == due.shape else math.inf
            counts = is_drawn or (error < MOST_LOST and not can_jump(name))
            if tolerance <= MAX_TOLERANCE and counts:  # not so where either is not a number
                known, passed = error if math.isfinite(error) else None, error <= tolerance
                checks.append(
                    TensorCheck(tensor=name, inputs=inputs, error=known, worst=None, tolerance=tolerance, passed=passed)
                )
        return tuple(checks)


def measure_moves(
    evaluate: Evaluate, tensors: Tensors, scales: Mapping[str, float], rounding: Dtype
) -> dict[str, float]:
    """Return how far last bits of a dtype move each tensor, at most in a few evaluations in float64."""
    moved = dict.fromkeys(tensors, 0.0)
    for number in range(PRECISION_ROUNDINGS):
        again, _ = evaluate(np.float64, np.random.default_rng(number), rounding)
        moved = {
            name: max(moved[name], measure_change(again[name], due) / scales[name]) for name, due in tensors.items()
        }
    return moved


def measure_change(one: Array, other: Array) -> float:
    """Return the 2-norm of the difference of two tensors; it is not a number if both overflow."""
    with np.errstate(invalid="ignore"):
        return float(np.linalg.norm(widen_values(one) - widen_values(other)))


def find_negligible(tensors: Tensors) -> dict[str, float]:
    """Return the gradients or moves that are rounding alone, each with the 2-norm of all of them together.

    Moves of statistics are compared with those of all statistics.
    """
    running = f"{MOVE}{RUNNING_PREFIX}"
    found: dict[str, float] = {}
    for of_statistics in (False, True):
        chosen = [name for name in tensors if can_jump(name) and name.startswith(running) == of_statistics]
        norms = {name: float(np.linalg.norm(tensors[name])) for name in chosen}
        total = math.sqrt(sum(norm**2 for norm in norms.values()))
        found |= {name: total for name, norm in norms.items() if 0 < norm < choose_threshold(name) * total}
    return found


def choose_threshold(tensor: str) -> float:
    """Return the part of all gradients or moves below which one is rounding alone."""
    return NEGLIGIBLE_MOVE if tensor.startswith(MOVE) else NEGLIGIBLE_GRADIENT


def can_jump(tensor: str) -> bool:
    """Return whether a tensor is a gradient, or follows from gradients."""
    return not tensor.startswith((OUTPUT, LOSS))


def is_right_loss(check: TensorCheck) -> bool:
    """Return whether a check is none of a loss, or has passed."""
    return check.passed or not check.tensor.startswith(LOSS)


def can_have_jumped(checks: Sequence[TensorCheck]) -> bool:
    """Return whether only gradients fail, and none by more than a jump could explain."""
    wrong = [check for check in checks if not check.passed]
    return bool(wrong) and all(
        can_jump(check.tensor) and check.error is not None and check.error <= MAX_JUMP for check in wrong
    )


def make_failed_check(tensor: str, inputs: str, tolerance: float) -> TensorCheck:
    """Return the failed check of a tensor that cannot be compared at all."""
    return TensorCheck(tensor=tensor, inputs=inputs, error=None, worst=None, tolerance=tolerance, passed=False)


def make_call_evaluator(
    reference: Reference, task: Task, parameters: Parameters, weights: Mapping[str, Array], inputs: Sequence[Array]
) -> Evaluate:
    """Return a function that evaluates one call of this task: the output, or the loss and its gradients.

    The scale is the tensor's 2-norm, and 1 for a tensor of zeros, which is judged absolutely. A loss may be small
    because its terms cancel; an honest error is then as large as if they had not. So the loss is judged on how far it
    moves when every weight w moves by w: sqrt(sum (dloss/dw w)^2), if that is more.
    """

    def evaluate(
        dtype: DTypeLike, off: np.random.Generator | None = None, rounding: Dtype = "float32"
    ) -> tuple[Tensors, dict[str, float]]:
        known = cast_all(weights, dtype, off, rounding)
        given = [cast_floating(perturb_values(value, off, rounding), dtype) for value in inputs]
        if task == "forward":
            return add_scales(name_outputs(reference.forward(parameters, known, *given)))
        return name_gradients(*reference.backward(parameters, known, *given), known)

    return evaluate


def name_gradients(
    loss: Any, gradients: Mapping[str, Array], weights: Mapping[str, Array]
) -> tuple[Tensors, dict[str, float]]:
    """Name a loss and its gradients at these weights, each with its scale."""
    tensors = {LOSS: np.asarray(loss)} | {f"gradient of {name}": value for name, value in gradients.items()}
    _, scales = add_scales(tensors)
    return tensors, scales | {LOSS: max(scales[LOSS], compute_loss_scale(gradients, weights))}


def compute_loss_scale(gradients: Mapping[str, Array], weights: Mapping[str, Array]) -> float:
    """Return how far a loss moves when every weight moves by its own size: what it would be if no terms cancelled."""
    return math.sqrt(sum(float(np.sum(np.abs(gradients[name] * weights[name]) ** 2)) for name in gradients))


def make_training_evaluator(
    reference: Reference,
    task: Task,
    parameters: Parameters,
    weights: Mapping[str, Array],
    input_sets: Sequence[Sequence[Array]],
) -> Evaluate:
    """Return a function that evaluates a step on each of these sets in turn: the losses and the moves of the weights.

    Moves are compared instead of weights: they are small, and a weight that has hardly moved is always nearly right.
    """

    def evaluate(
        dtype: DTypeLike, off: np.random.Generator | None = None, rounding: Dtype = "float32"
    ) -> tuple[Tensors, dict[str, float]]:
        begun = cast_all(weights, dtype, off, rounding)
        training = Training(reference, task, parameters, dict(begun))
        losses = [
            training.step(*(cast_floating(perturb_values(value, off, rounding), dtype) for value in inputs))
            for inputs in input_sets
        ]
        return add_scales(name_losses(losses) | compute_moves(training.weights, begun))

    return evaluate


def make_continuation_evaluator(
    reference: Reference,
    task: Task,
    parameters: Parameters,
    state: tuple[Mapping[str, Array], Sequence[Array]],
    inputs: Sequence[Array],
    begun_by: Mapping[str, float],
) -> Evaluate:
    """Return a function that evaluates one step of training from weights and moments: the loss, and the moves.

    `begun_by` are the norms of these in the first steps. What has become a negligible part of that is rounding: a loss
    that some frameworks flush to zero, say. A loss whose terms have come to cancel is judged as that of one call.
    """
    weights, moments = state

    def evaluate(
        dtype: DTypeLike, off: np.random.Generator | None = None, rounding: Dtype = "float32"
    ) -> tuple[Tensors, dict[str, float]]:
        begun = cast_all(weights, dtype, off, rounding)
        training = Training(reference, task, parameters, dict(begun))
        training.restore_state(begun, [cast_floating(each, dtype) for each in moments])
        given = [cast_floating(perturb_values(each, off, rounding), dtype) for each in inputs]
        loss, gradients = training.compute_gradients(*given)
        least = compute_loss_scale(gradients, begun)
        training.apply_gradients(gradients, *given)
        tensors, scales = add_scales({LOSS: np.asarray(loss), **compute_moves(training.weights, begun)})
        scales[LOSS] = max(scales[LOSS], least)
        return tensors, {name: max(scale, NEGLIGIBLE_PART * begun_by[name]) for name, scale in scales.items()}

    return evaluate


def name_losses(losses: Sequence[Any]) -> Tensors:
    """Name the losses of a few steps of training."""
    return {f"{LOSS} of step {number}": np.asarray(loss) for number, loss in enumerate(losses, 1)}


def compute_moves(now: Mapping[str, Array], before: Mapping[str, Array]) -> Tensors:
    """Subtract from each weight its earlier value."""
    return {f"{MOVE}{name}": widen_values(now[name]) - before[name] for name in before}


def name_outputs(outputs: object) -> Tensors:
    """Name the output of a model, or its several outputs, which may be nested."""
    if list_parts(outputs) is None:
        return {OUTPUT: np.asarray(outputs)}
    return {f"{OUTPUT} {number}": np.asarray(output) for number, output in enumerate(flatten_outputs(outputs))}


def cast_all(
    weights: Mapping[str, Array], dtype: DTypeLike, off: np.random.Generator | None = None, rounding: Dtype = "float32"
) -> Tensors:
    """Convert weights to another floating dtype, each number up to one rounding off if there is a generator."""
    return {name: cast_floating(perturb_values(weight, off, rounding), dtype) for name, weight in weights.items()}


def perturb_values(value: Array, off: np.random.Generator | None, dtype: Dtype = "float32") -> Array:
    """Move each number by up to one rounding of a dtype; leave integers, and without a generator all, unchanged."""
    if off is None or not is_floating(value):
        return value
    return np.asarray(value * (1 + off.integers(-1, 2, value.shape) * ROUNDING[dtype]))


def add_scales(tensors: Tensors) -> tuple[Tensors, dict[str, float]]:
    """Return tensors with their norms as scales."""
    return tensors, {name: compute_scale(tensor) for name, tensor in tensors.items()}


def compute_scale(tensor: Array) -> float:
    """Return the 2-norm; 1 for a tensor of zeros."""
    return float(np.linalg.norm(widen_values(tensor))) or 1.0


def explain_checks(checks: Sequence[TensorCheck]) -> str:
    """Explain in one sentence why these checks make a cell wrong; return an empty string if all passed."""
    wrong = [check for check in checks if not check.passed]
    if not wrong:
        return ""
    first = wrong[0]
    size = (
        "is missing, unexpected, not finite or of the wrong shape"
        if first.error is None
        else f"is off by {first.error:.2g}"
    )
    return f"{first.tensor} {size} (tolerance {first.tolerance:.2g}) on {first.inputs}" + (
        f", and {len(wrong) - 1} more checks failed" if len(wrong) > 1 else ""
    )
