"""One cell's computation with its data: the weights, the inputs and the expected results.

Importing this module imports NumPy, so it is imported after the framework, whose import is timed.
"""

import copy
import hashlib
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from schemas.event import TensorCheck, Verification, Work
from schemas.job import OWN_TRAINING, TRAINING_TASKS, Cell, Dtype, JobSpec
from schemas.judging import AFTER, BEFORE, BEGINNING, CONTINUED, FIRST, LAST, LATER, SECOND, SET
from schemas.models import Likeness
from workers import artefacts, contract, interfaces, workloads
from workers.arrays import Array, cast_floating, is_floating
from workers.frameworks import require_trainer
from workers.images import arrange_shapes
from workers.interfaces import (
    Framework,
    HasElements,
    HasFlops,
    HasMoments,
    HasPath,
    HasUneven,
    HasVerifiedStep,
    Parameters,
    Shape,
    Step,
    SupportsOwnLayouts,
    select_running,
    select_trained,
)
from workers.outputs import flatten_outputs
from workers.problem.inputs import PathFunction, draw_sets
from workers.problem.shape_stream import draw_stream
from workers.problem.touched import count_in_results, count_touched
from workers.references.generation import repeat_reference
from workers.references.training import STEPS
from workers.verification.stored_reference import StoredReference, read_weights
from workers.verification.tolerance import (
    LOSS,
    MAX_LOSSY_TOLERANCE,
    MAX_TOLERANCE,
    MOST_LOST,
    Evaluate,
    Expectation,
    Precision,
    compute_moves,
    compute_scale,
    explain_checks,
    join_largest,
    make_call_evaluator,
    make_continuation_evaluator,
    make_training_evaluator,
    perturb_values,
)

# The size limit of the expected results of a problem that are kept in memory.
MAX_EXPECTED_BYTES = 1 << 28

# Training is verified from where timed steps have ended, if the weights are at most so large.
MAX_CONTINUED_BYTES = 1 << 26

# Timed calls rotate over several sets of inputs, so that no call can reuse the result of the one before.
INPUT_SETS = 4

# All timed sets, of which as many are timed at once, and the size limit of the further ones.
MOST_TIMED, MAX_FURTHER_BYTES = 32, 1 << 24

Inputs = tuple[Array, ...]


# Words for the cause of an error in float64 that is too large for rounding and too small for another computation.
LOST = "a lower precision is at work inside"


class Problem:
    """Weights and inputs as float64 arrays, rounded to float32 unless the cell computes in float64.

    The same seed, parameters and batch give the same arrays in every framework. `package` has a workload that is not
    built in. `expected` is the file with the expected results, if the reference does not compute them. `state` are the
    weights, if `reference.py` does not draw them. `loop` is the number of calls of the model in a timed call. Of a
    workload that is foreign, not built in, nothing is known.
    """

    # True of the same problem for a mode that computes in float64, although its cell does not.
    is_recheck = False

    def __init__(
        self,
        cell: Cell,
        seed: int,
        package: str = "",
        expected: Path | None = None,
        state: Mapping[str, Array] | None = None,
        loop: int = 1,
    ) -> None:
        self.cell, self._unseen, self.is_foreign = cell, bool(package), bool(package)
        self._reference = repeat_reference(workloads.import_reference(cell.workload, package), loop)
        rng = np.random.default_rng(seed)
        if state is None:
            state = contract.draw_weights(self._reference, cell.task, cell.parameters, rng)
        weights = state
        self.weights = {name: self._round_values(weight) for name, weight in weights.items()}
        self._path: PathFunction | None = None
        if isinstance(self._reference, HasPath):
            self._path = partial(self._reference.path, cell.parameters, self.weights)
        # Drawn when they are asked for, by a generator of their own, so that other numbers stay the same.
        self._further, self._further_rng = list[Inputs](), np.random.default_rng((seed, 1))
        self._sizes: Sequence[tuple[Parameters, int]] = [(cell.parameters, cell.batch)]
        self._other_shapes: list[Inputs] = []
        self._timed, *others = self._read_shapes(cell.parameters, cell.batch)
        if self.is_streaming:
            self._sizes = draw_stream(cell.parameters, cell.batch, rng)
            self.input_sets = [self._draw_set(rng, self._read_shapes(*sizes)[0]) for sizes in self._sizes]
        else:
            self.input_sets = self._draw_sets(rng, self._timed, INPUT_SETS)
            self._other_shapes = [self._draw_set(rng, shapes) for shapes in others]
        # Kept for fresh inputs, which must differ from all those drawn so far.
        self._rng = rng
        self._jumps: dict[str, dict[str, float]] = {}
        self._expectations: dict[str, Expectation] = {}
        self._precisions: dict[str, Precision] = {}
        self._recheck: Problem | None = None
        self._work: Work | None = None
        self._expected = StoredReference(expected, cell.task, self.weights) if expected else None

    @property
    def is_streaming(self) -> bool:
        """True if the sets of inputs have many shapes."""
        return self.cell.shapes == "stream"

    @property
    def is_uneven(self) -> bool:
        """True if one set of inputs may be more work than another, by its shape or its control flow."""
        reference = self._reference
        return self.is_streaming or self._path is not None or (isinstance(reference, HasUneven) and reference.UNEVEN)

    @property
    def agreement(self) -> str:
        """Return why results are compared in float32 alone; empty: they are compared with float64."""
        return ""

    @property
    def likeness(self) -> Likeness:
        """Return the comparison of a model with the first one, and with the right answers; nothing of a workload."""
        return Likeness()

    @property
    def dtypes(self) -> Sequence[str]:
        """Return the types of the inputs of a model file; none: they have the cell's."""
        return ()

    @property
    def ill_conditioned(self) -> Mapping[str, float]:
        """Return how far other last bits move each tensor that they move far; that of a workload is not known."""
        return {}

    @property
    def moved_in_float64(self) -> float:
        """Return how far other last bits of float64 move a result; that of a workload is not known."""
        return 0.0

    @property
    def is_rechecked(self) -> bool:
        """True if each mode is verified in float64 too: a user's code, of which nothing is known, in float32."""
        return self.is_foreign and self.cell.dtype == "float32" and not self.is_streaming

    @property
    def notes(self) -> Sequence[str]:
        """Return what a reader of the results must know, in sentences."""
        return ()

    @property
    def new_shapes(self) -> Mapping[str, Inputs]:
        """Inputs of all shapes except the one that a step is prepared with, by case; of a stream, the later sets."""
        kind, later = ("set", self.input_sets) if self.is_streaming else ("shape", self._other_shapes)
        return {f"{kind} {number}": inputs for number, inputs in enumerate(later) if number or not self.is_streaming}

    @property
    def dtype(self) -> Dtype:
        """The cell's dtype."""
        return self.cell.dtype

    @property
    def is_training(self) -> bool:
        """True if the weights change from call to call."""
        return self.cell.task in TRAINING_TASKS

    @property
    def itemsize(self) -> int:
        """Bytes in one number of the cell's dtype."""
        return {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}[self.cell.dtype]

    @property
    def timed_sets(self) -> int:
        """The number of sets of inputs that timed calls have, if there is time to exchange them."""
        return len(self.input_sets)

    def read_timed_set(self, number: int) -> Inputs:
        """Return a set of inputs of timed calls: one of the first few, or a further one."""
        while number >= len(self.input_sets) + len(self._further):
            self._further.append(self._draw_set(self._further_rng, self._timed))
        return [*self.input_sets, *self._further][number]

    def choose_further_sets(self, budget_ns: int) -> int:
        """Return how many further sets may be timed, as their right results can be found in this time.

        There are none where one set may be more work than another, or where the right results are read from a file.
        """
        if self.is_uneven or self._expected is not None or not self.input_sets[0]:
            return 0
        start = time.perf_counter_ns()
        if not self.is_training:  # then a loss is only known to be a number
            self._find_expectation(f"{SET}0")
        took = time.perf_counter_ns() - start
        size = max(1, sum(value.nbytes for value in self.input_sets[0]))
        most = min(MOST_TIMED - INPUT_SETS, MAX_FURTHER_BYTES // size, budget_ns // max(1, took))
        return most // INPUT_SETS * INPUT_SETS

    def draw_new(self, number: int) -> list[Inputs]:
        """Draw so many sets of inputs that nobody could make from the timed ones, or as many as there are."""
        return [] if self.is_uneven else [self._draw_set(self._rng, self._timed) for _ in range(number)]

    def draw_unseen(self, number: int) -> Iterator[Inputs]:
        """Yield sets of inputs of the timed shapes that no call has had yet.

        Where one set may be more work than another, they are the timed sets in turn. Each number is up to one rounding
        off, if that leaves the control flow alone. Otherwise the sets are drawn anew.
        """
        for count in range(number):
            again = self.input_sets[count % len(self.input_sets)]
            yield self._perturb_inputs(again) if self.is_uneven else self._draw_set(self._rng, self._timed)

    def list_later_sets(self) -> Iterator[tuple[int, Inputs]]:
        """Yield the sets of inputs that are verified after all samples, with their numbers.

        The first two sets have been verified by then. The others matter where the control flow may differ from set to
        set, which a user's code can always do. A stream has verified every set.
        """
        if (self.is_uneven or self.is_foreign) and not (self.is_streaming or self.is_training):
            yield from enumerate(self.input_sets[2:], 2)

    def _perturb_inputs(self, inputs: Inputs) -> Inputs:
        made = tuple(self._round_values(perturb_values(value, self._rng)) for value in inputs)
        if self.is_streaming or (self._path and self._path(*made) != self._path(*inputs)):
            return tuple(map(np.copy, inputs))
        return tuple(map(np.copy, made))

    def count_work(self) -> Work:
        """Count the least work of one call: the arithmetic, and every weight, input and result touched once.

        For a stream, it is the mean over the calls. A user's reference may leave the arithmetic uncounted.
        """
        if self._work is None:
            self._work = self._count_least_work()
        return self._work

    def _count_least_work(self) -> Work:
        reference, task, flops = self._reference, self.cell.task, 0
        if isinstance(reference, HasFlops):
            flops = floor_mean(reference.flops(*sizes, task) or 0 for sizes in self._sizes)
        if isinstance(reference, HasElements):
            elements = floor_mean(reference.elements(*sizes, task) for sizes in self._sizes)
        else:
            elements = floor_mean(self._count_elements(number) for number in range(len(self._sizes)))
        return Work(flops=flops, bytes=elements * self.itemsize)

    def _count_elements(self, number: int) -> int:
        """Count the numbers in all weights, one set of inputs and its results: for training at least the gradients.

        Nothing says that a user's workload touches all of them.
        """
        if self.is_foreign:
            return self._count_touched(number)
        weights, inputs = self.weights.values(), self.input_sets[number]
        results = [1, *(weight.size for weight in select_trained(self.weights).values())]
        if self.cell.task == "forward":
            results = [each.size for each in self._find_expectation(f"{SET}{number}").tensors.values()]
        return sum(array.size for array in (*weights, *inputs)) + sum(results)

    def _count_touched(self, number: int) -> int:
        task, inputs = self.cell.task, self.input_sets[number]
        if self._expected is None:
            return count_touched(self._reference, task, self.cell.parameters, self.weights, inputs)
        tensors = self._find_expectation(BEGINNING if self.is_training else f"{SET}{number}").tensors
        results = [each for name, each in tensors.items() if not name.startswith(LOSS)]
        return count_in_results(results, task, (*self.weights.values(), *inputs))

    def infer_axes(self) -> list[Shape]:
        """Return the shape of each input, with None for every axis whose size the inputs decide."""
        sets = [self.input_sets[0], *self.new_shapes.values()]
        shapes = [
            tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True))
            for shapes in zip(*([value.shape for value in inputs] for inputs in sets), strict=True)
        ]
        return arrange_shapes(shapes, self.cell.tuning)

    def hash_data(self) -> str:
        """Hash every byte of the data, so that two jobs can be shown to have computed the same."""
        digest = hashlib.sha256()
        for array in (*self.weights.values(), *(a for inputs in self.input_sets + self._other_shapes for a in inputs)):
            digest.update(array.tobytes())
        return digest.hexdigest()

    def check_case(self, case: str, results: Sequence[Array], when: str, *, sketched: bool = False) -> Verification:
        """Compare the results of a call, or of a few steps of training, with the reference.

        If they are sketched, they can be compared with those of other cells later.
        """
        named = self._name_inputs(case, when)
        if when == CONTINUED:
            return self._check_continuation(case, results, named)
        if self.is_recheck and self.is_foreign:
            return self._check_precision(case, results, named)
        if self.is_training and case.startswith(SET):
            checks = check_finite(results, named)
        else:
            due = self._find_expectation(case)
            checks = due.check_tensors(results, named)
            checks = due.sketch_tensors(checks, results) if sketched else checks
        reason = explain_checks(checks)
        if reason and case in self.new_shapes:
            reason = f"right on the shape it was prepared with, but {reason}"
        return Verification(checks=checks, reason=reason)

    def _check_continuation(self, case: str, results: Sequence[Array], named: str) -> Verification:
        """Compare one step of training from some later weights and moments, which come before its loss and moves.

        After many steps a loss or a gradient may be a small difference of large numbers, so the limit is wide: a step
        that leaves work out is another one altogether.
        """
        names = (*select_trained(self.weights), *select_running(self.weights))
        begun, moments, done = results[: len(names)], results[len(names) : -1 - len(names)], results[-1 - len(names) :]
        state = (dict(zip(names, begun, strict=True)), moments)
        known = (self._reference, self.cell.task, self.cell.parameters)
        inputs, first = self.read_timed_set(int(case.removeprefix(SET))), self._find_expectation(BEGINNING).tensors
        begun_by = {name: compute_scale(each) for name, each in first.items()}
        begun_by[LOSS] = begun_by[f"{LOSS} of step 1"]
        evaluate = make_continuation_evaluator(*known, state, inputs, begun_by)
        count = partial(self._count_outputs, inputs)
        due = Expectation(evaluate, self.cell.dtype, trained=state[0], limit=MAX_LOSSY_TOLERANCE, count_summands=count)
        checks = due.check_tensors(done, named)
        return Verification(checks=checks, reason=explain_checks(checks))

    def _check_precision(self, case: str, results: Sequence[Array], named: str) -> Verification:
        """Look for a lower precision inside a mode that computes in float64."""
        is_drawn = not self.is_derived(case)
        try:
            due = self._precisions.get(case) or Precision(self._make_evaluator(case))
            if due.count_bytes() <= MAX_EXPECTED_BYTES // 8:
                self._precisions[case] = due
            checks = due.check_tensors(results, named, is_drawn=is_drawn)
        except Exception:
            if is_drawn:
                raise
            return Verification(checks=())  # nothing says what is right of inputs that the reference refuses
        reason = explain_checks(checks)
        lost = all(check.error is not None and check.error < MOST_LOST for check in checks)
        return Verification(checks=checks, reason=f"{reason}: {LOST}" if reason and lost else reason)

    def make_recheck(self) -> "Problem":
        """Return the problem for the mode in float64, from the same data: results are held to more there."""
        if self._recheck is None:
            self._recheck = copy.copy(self)
            self._recheck.cell = self.cell.model_copy(update={"dtype": "float64", "track": "defaults"})
            self._recheck.is_recheck = True
        return self._recheck

    def is_derived(self, case: str) -> bool:
        """Return whether the inputs of a case are made from drawn ones."""
        return case in self._list_derived()

    def _list_derived(self) -> dict[str, Inputs]:
        """Return inputs made from the first set, in which rounding does not average out, or has another size."""
        first = self.input_sets[0]
        if not self.is_recheck or self.is_training or self.is_uneven or not any(map(is_floating, first)):
            return {}
        changed: dict[str, Callable[[Array], Array]] = {
            "made constant": lambda value: np.full_like(value, value.flat[0]) if value.size else value,
            "made another constant": lambda value: np.full_like(value, value.flat[-1]) if value.size else value,
            "times 8": lambda value: 8 * value,
            "over 8": lambda value: value / 8,
        }
        return {
            f"{SET}0 {said}": tuple(change(value) if is_floating(value) else value for value in first)
            for said, change in changed.items()
        }

    def explain_error(self, case: str, error: str) -> Verification:
        """Return the verification of a call that raised an error, on inputs of another shape."""
        return Verification(checks=(), reason=f"on {self._name_inputs(case, '')} it raised {error}")

    def _name_inputs(self, case: str, when: str) -> str:
        """Describe the inputs of a call, and when it was."""
        if case in self.new_shapes:
            return "inputs of shape " + " ".join(str(value.shape) for value in self.new_shapes[case])
        return f"{STEPS} steps of training, {when}" if case == BEGINNING else f"input {case}, {when}"

    def list_due(self, *, thorough: bool = False) -> dict[str, frozenset[str]]:
        """Return the cases that results are due of, each with when, in words; of no set, calls on any."""
        always = {FIRST, SECOND, LAST}
        due = {"": frozenset(always | {CONTINUED} if thorough and self.is_continued else always)}
        if self.is_training:
            due[BEGINNING] = frozenset({BEFORE, AFTER})
        return due | {f"{SET}{number}": frozenset({LATER}) for number, _ in self.list_later_sets()}

    @property
    def is_continued(self) -> bool:
        """True if a step of training is verified from where timed ones have ended, by a known formula."""
        size = sum(weight.nbytes for weight in self.weights.values())
        is_known = self.is_training and self.cell.task != OWN_TRAINING and self._expected is None
        return is_known and size <= MAX_CONTINUED_BYTES

    def continue_training(self, framework: Framework, step: Step, inputs: Inputs) -> list[Array]:
        """Take one more step; return the weights and moments before it, its loss, and the moves of the weights."""
        trainer = require_trainer(framework)
        assert isinstance(trainer, HasMoments), "every trainer with a known formula has moments"
        step = framework.get_verified_step(step) if isinstance(framework, HasVerifiedStep) else step
        begun, kept = self._read_weights(framework), framework.to_numpy(trainer.read_moments())
        number, moments = len(select_trained(self.weights)), list[Array]()
        while len(kept) >= number and len(moments) < (1 if self.cell.task == "train-sgd" else 2) * number:
            moments, kept = [*moments, *convert_layout(framework, kept[:number])], kept[number:]
        (loss,) = framework.to_numpy(step(*framework.arrays(inputs)))
        moves = compute_moves(self._read_weights(framework), begun)
        return [*begun.values(), *moments, *kept, loss, *moves.values()]

    def _read_weights(self, framework: Framework) -> dict[str, Array]:
        """Read the current weights in training, by name, in the reference's layout."""
        names = (*select_trained(self.weights), *select_running(self.weights))
        state = framework.to_numpy(require_trainer(framework).state())
        return dict(zip(names, convert_layout(framework, state), strict=True))

    def compute_results(self, framework: Framework, step: Step, *sets: Inputs) -> list[Array]:
        """Return a step's outputs on a set of inputs; for training, its losses on the sets in turn and its moves."""
        if not self.is_training:
            (inputs,) = sets
            return framework.to_numpy(step(*framework.arrays(inputs)))
        trainer = require_trainer(framework)
        # Before the restart: to prepare a step may move statistics.
        step = framework.get_verified_step(step) if isinstance(framework, HasVerifiedStep) else step
        # Timed calls have moved the weights, but the reference starts from the initial ones.
        trainer.restart()
        losses = [framework.to_numpy(step(*framework.arrays(inputs)))[0] for inputs in sets]
        return [*losses, *compute_moves(self._read_weights(framework), self.weights).values()]

    def list_cases(self) -> dict[str, tuple[Inputs, ...]]:
        """Return the sets of inputs that are checked, grouped by the name of the case."""
        sets = self.input_sets[:2] if self.is_recheck else self.input_sets
        called = {f"{SET}{number}": (inputs,) for number, inputs in enumerate(sets)}
        called |= {case: (inputs,) for case, inputs in self._list_derived().items()}
        timed = {BEGINNING: tuple(self.input_sets[:STEPS])} if self.is_training else called
        return {**timed, **{case: (inputs,) for case, inputs in self.new_shapes.items()}}

    def count_bytes(self) -> int:
        """Return the size of the weights, the inputs and what is kept of the expected results."""
        arrays = [*self.weights.values(), *itertools.chain(*self.input_sets, *self._other_shapes)]
        expected: list[Expectation | Precision] = [*self._expectations.values(), *self._precisions.values()]
        return sum(array.nbytes for array in arrays) + sum(each.count_bytes() for each in expected)

    def list_moved(self) -> Mapping[str, float]:
        """Return how far other last bits move each tensor that they were found to move far."""
        return join_largest(each.list_ill_conditioned() for each in self._expectations.values())

    def list_lossy(self) -> Mapping[str, float]:
        """Return how far the reference itself is off in float32, for each tensor in which it loses digits."""
        return join_largest(each.list_lossy() for each in self._expectations.values())

    def _find_expectation(self, case: str) -> Expectation:
        """Return what is expected in a case, as long as little is kept worked out once for all jobs."""
        if case not in self._expectations:
            made = self._make_expectation(case)
            kept = sum(each.count_bytes() for each in self._expectations.values())
            if kept + made.count_bytes() > MAX_EXPECTED_BYTES:
                return made
            self._expectations[case] = made
        return self._expectations[case]

    def _make_expectation(self, case: str) -> Expectation:
        jumps = None if self._expected else self._jumps.setdefault(case, {})
        trained = self.weights if self.is_training else {}
        limit = MAX_LOSSY_TOLERANCE if self.is_rechecked else MAX_TOLERANCE
        count = (lambda: 1) if self._expected else partial(self._count_outputs, self._find_sets(case)[0])
        return Expectation(
            self._make_evaluator(case), self.cell.dtype, jumps, trained=trained, limit=limit, count_summands=count
        )

    def _count_outputs(self, inputs: Inputs) -> int:
        """Count the numbers in the outputs for these inputs, whose mean a loss is."""
        with suppress(Exception):  # a reference of gradients need not compute outputs
            made = self._reference.forward(self.cell.parameters, self.weights, *inputs)
            return sum(np.size(output) for output in flatten_outputs(made))
        return 1

    def _make_evaluator(self, case: str) -> Evaluate:
        """Return the function that computes what is right in a case, or reads it."""
        if self._expected is not None:
            return self._expected.make_evaluator(case)
        cell, sets = self.cell, self._find_sets(case)
        known = (self._reference, cell.task, cell.parameters, self.weights)
        if self._unseen:
            contract.check_results(*known, sets[0])
            self._unseen = False
        return make_training_evaluator(*known, sets) if self.is_training else make_call_evaluator(*known, *sets)

    def _find_sets(self, case: str) -> tuple[Inputs, ...]:
        """Return the sets of inputs of a case, which may be a further timed one."""
        number = case.removeprefix(SET)
        is_further = number.isdecimal() and int(number) >= len(self.input_sets)
        return (self.read_timed_set(int(number)),) if is_further else self.list_cases()[case]

    def _read_shapes(self, parameters: Parameters, batch: int) -> Sequence[interfaces.Shapes]:
        shapes = self._reference.shapes(parameters, batch)
        contract.check_shapes(self._reference, shapes)
        return shapes

    def _draw_sets(self, rng: np.random.Generator, shapes: interfaces.Shapes, number: int) -> list[Inputs]:
        reference, sizes = self._reference, self.cell.parameters

        def draw_inputs() -> Inputs:
            made = contract.check_inputs(reference, reference.inputs(sizes, rng, shapes), shapes)
            return tuple(self._round_values(value) for value in made)

        return draw_sets(draw_inputs, number, self._path)

    def _draw_set(self, rng: np.random.Generator, shapes: interfaces.Shapes) -> Inputs:
        (inputs,) = self._draw_sets(rng, shapes, 1)
        return inputs

    def _round_values(self, value: Array) -> Array:
        return cast_floating(
            cast_floating(value, np.float64 if self.cell.dtype == "float64" else np.float32), np.float64
        )


def convert_layout(framework: Framework, arrays: list[Array]) -> list[Array]:
    """Convert arrays in the layout of a model's own weights to the reference's."""
    return framework.to_reference(arrays) if isinstance(framework, SupportsOwnLayouts) else arrays


def floor_mean(numbers: Iterable[int]) -> int:
    """Return the mean rounded down, so that work is never overstated."""
    counted = list(numbers)
    return sum(counted) // len(counted)


def problem_from_spec(spec: JobSpec, package: str, state: Mapping[str, Array] | None = None) -> Problem:
    """Build the problem of a job; `package` has a workload that is not built in, `state` its weights.

    Raises:
        Malformed: the workload breaks the contract.
        ArtefactChanged: the expected results cannot be read, or have changed.
    """
    reference = workloads.import_reference(spec.cell.workload, package)
    contract.check_functions(reference, formulas=not spec.reference, task=spec.cell.task)
    expected = artefacts.verify_artefact(spec.expected) if spec.expected else None
    if spec.weights and state is None and expected is not None:
        state = read_weights(expected)
    return Problem(spec.cell, spec.seed, package, expected, state, spec.loop)


def check_finite(outputs: Sequence[Array], named: str) -> tuple[TensorCheck, ...]:
    """Check only that the loss of a training step is a number: the weights before the call are unknown."""
    (loss,) = outputs
    right = bool(np.isfinite(loss).all()) and loss.shape == ()
    return (TensorCheck(tensor=LOSS, inputs=named, error=None, worst=None, tolerance=0, passed=right),)
