"""One cell's computation with its data: the weights, the inputs and the expected results.

Importing this module imports NumPy, so it is imported after the framework, whose import is timed.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from schemas.event import TensorCheck, Verification, Work
from schemas.job import TRAINING_TASKS, Cell, Dtype, JobSpec
from schemas.models import Likeness
from workers import artefacts, contract, interfaces, workloads
from workers.arrays import Array, cast_floating
from workers.errors import summarise_error
from workers.frameworks import require_trainer
from workers.interfaces import (
    Framework,
    HasElements,
    HasFlops,
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
from workers.problem.inputs import PathFunction, draw_sets
from workers.problem.shape_stream import draw_stream
from workers.problem.touched import count_in_results, count_touched
from workers.references.training import STEPS
from workers.verification.stored_reference import StoredReference, read_weights
from workers.verification.tolerance import (
    LOSS,
    Expectation,
    compute_moves,
    explain_checks,
    make_call_evaluator,
    make_training_evaluator,
    perturb_values,
)

# The case of the first steps of training.
BEGINNING = "beginning"

# Timed calls rotate over several sets of inputs, so that no call can reuse the result of the one before.
INPUT_SETS = 4

Inputs = tuple[Array, ...]


class Problem:
    """Weights and inputs as float64 arrays, rounded to float32 unless the cell computes in float64.

    The same seed, parameters and batch give the same arrays in every framework. `package` has a workload that is not
    built in. `expected` is the file with the expected results, if the reference does not compute them. `state` are the
    weights, if `reference.py` does not draw them.
    """

    def __init__(
        self,
        cell: Cell,
        seed: int,
        package: str = "",
        expected: Path | None = None,
        state: Mapping[str, Array] | None = None,
    ) -> None:
        self._cell, self._unseen, self._is_foreign = cell, bool(package), bool(package)
        self._reference = workloads.import_reference(cell.workload, package)
        rng = np.random.default_rng(seed)
        if state is None:
            state = contract.draw_weights(self._reference, cell.task, cell.parameters, rng)
        weights = state
        self.weights = {name: self._round_values(weight) for name, weight in weights.items()}
        self._path: PathFunction | None = None
        if isinstance(self._reference, HasPath):
            self._path = partial(self._reference.path, cell.parameters, self.weights)
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
        self._expected = StoredReference(expected, cell.task, self.weights) if expected else None

    @property
    def is_streaming(self) -> bool:
        """True if the sets of inputs have many shapes."""
        return self._cell.shapes == "stream"

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
        return self._cell.dtype

    @property
    def is_training(self) -> bool:
        """True if the weights change from call to call."""
        return self._cell.task in TRAINING_TASKS

    @property
    def itemsize(self) -> int:
        """Bytes in one number of the cell's dtype."""
        return {"float64": 8, "float32": 4, "bfloat16": 2}[self._cell.dtype]

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
        if (self.is_uneven or self._is_foreign) and not (self.is_streaming or self.is_training):
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
        reference, task, flops = self._reference, self._cell.task, 0
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
        if self._is_foreign:
            return self._count_touched(number)
        weights, inputs = self.weights.values(), self.input_sets[number]
        results = [1, *(weight.size for weight in select_trained(self.weights).values())]
        if self._cell.task == "forward":
            results = [each.size for each in self._make_expectation(f"set {number}").tensors.values()]
        return sum(array.size for array in (*weights, *inputs)) + sum(results)

    def _count_touched(self, number: int) -> int:
        task, inputs = self._cell.task, self.input_sets[number]
        if self._expected is None:
            return count_touched(self._reference, task, self._cell.parameters, self.weights, inputs)
        tensors = self._make_expectation(BEGINNING if self.is_training else f"set {number}").tensors
        results = [each for name, each in tensors.items() if not name.startswith(LOSS)]
        return count_in_results(results, task, (*self.weights.values(), *inputs))

    def infer_axes(self) -> list[Shape]:
        """Return the shape of each input, with None for every axis whose size the inputs decide."""
        sets = [self.input_sets[0], *self.new_shapes.values()]
        return [
            tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True))
            for shapes in zip(*([value.shape for value in inputs] for inputs in sets), strict=True)
        ]

    def hash_data(self) -> str:
        """Hash every byte of the data, so that two jobs can be shown to have computed the same."""
        digest = hashlib.sha256()
        for array in (*self.weights.values(), *(a for inputs in self.input_sets + self._other_shapes for a in inputs)):
            digest.update(array.tobytes())
        return digest.hexdigest()

    def check_outputs(
        self, outputs: Sequence[Array], number: int, when: str, *, sketched: bool = False
    ) -> Verification:
        """Compare the outputs of a call on this set of inputs with the reference.

        If they are sketched, they can be compared with those of other cells later.
        """
        named = f"input set {number}, {when}"
        if self.is_training:
            checks = check_finite(outputs, named)
        else:
            checks = check_results(self._make_expectation(f"set {number}"), outputs, named, sketched=sketched)
        return Verification(checks=checks, reason=explain_checks(checks))

    def check_training(self, framework: Framework, step: Step, when: str, *, sketched: bool = False) -> Verification:
        """Train from the beginning for a few steps, and compare the losses and the moves of the weights.

        Other tasks have no such checks.
        """
        if not self.is_training:
            return Verification(checks=())
        named = f"{STEPS} steps of training, {when}"
        results = self.compute_results(framework, step, *self.list_cases()[BEGINNING])
        checks = check_results(self._make_expectation(BEGINNING), results, named, sketched=sketched)
        return Verification(checks=checks, reason=explain_checks(checks))

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
        names = (*select_trained(self.weights), *select_running(self.weights))
        state = framework.to_numpy(trainer.state())
        state = framework.to_reference(state) if isinstance(framework, SupportsOwnLayouts) else state
        now = dict(zip(names, state, strict=True))
        return [*losses, *compute_moves(now, self.weights).values()]

    def check_new_shape(self, framework: Framework, step: Step, case: str) -> Verification:
        """Check inputs of another shape, to expose a mode that has baked in the first shape."""
        inputs = self.new_shapes[case]
        named = "inputs of shape " + " ".join(str(value.shape) for value in inputs)
        try:
            outputs = self.compute_results(framework, step, inputs)
        except Exception as error:  # whatever a framework raises at a new shape is the finding itself
            return Verification(checks=(), reason=f"on {named} it raised {summarise_error(error)}")
        checks = self._make_expectation(case).check_tensors(outputs, named)
        reason = explain_checks(checks)
        return Verification(checks=checks, reason=reason and f"right on the shape it was prepared with, but {reason}")

    def list_cases(self) -> dict[str, tuple[Inputs, ...]]:
        """Return the sets of inputs that are checked, grouped by the name of the case."""
        called = {f"set {number}": (inputs,) for number, inputs in enumerate(self.input_sets)}
        timed = {BEGINNING: tuple(self.input_sets[:STEPS])} if self.is_training else called
        return {**timed, **{case: (inputs,) for case, inputs in self.new_shapes.items()}}

    def _make_expectation(self, case: str) -> Expectation:
        cell = self._cell
        trained = self.weights if self.is_training else {}
        if self._expected is not None:
            return Expectation(self._expected.make_evaluator(case), cell.dtype, trained=trained)
        sets, known = self.list_cases()[case], (self._reference, cell.task, cell.parameters, self.weights)
        if self._unseen:
            contract.check_results(*known, sets[0])
            self._unseen = False
        evaluate = make_training_evaluator(*known, sets) if self.is_training else make_call_evaluator(*known, *sets)
        return Expectation(evaluate, cell.dtype, self._jumps.setdefault(case, {}), trained=trained)

    def _read_shapes(self, parameters: Parameters, batch: int) -> Sequence[interfaces.Shapes]:
        shapes = self._reference.shapes(parameters, batch)
        contract.check_shapes(self._reference, shapes)
        return shapes

    def _draw_sets(self, rng: np.random.Generator, shapes: interfaces.Shapes, number: int) -> list[Inputs]:
        reference, sizes = self._reference, self._cell.parameters

        def draw_inputs() -> Inputs:
            made = contract.check_inputs(reference, reference.inputs(sizes, rng, shapes), shapes)
            return tuple(self._round_values(value) for value in made)

        return draw_sets(draw_inputs, number, self._path)

    def _draw_set(self, rng: np.random.Generator, shapes: interfaces.Shapes) -> Inputs:
        (inputs,) = self._draw_sets(rng, shapes, 1)
        return inputs

    def _round_values(self, value: Array) -> Array:
        return cast_floating(
            cast_floating(value, np.float64 if self._cell.dtype == "float64" else np.float32), np.float64
        )


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
    return Problem(spec.cell, spec.seed, package, expected, state)


def check_results(due: Expectation, results: Sequence[Array], named: str, *, sketched: bool) -> tuple[TensorCheck, ...]:
    """Compare results with the expected ones, and sketch them if that is asked for."""
    checks = due.check_tensors(results, named)
    return due.sketch_tensors(checks, results) if sketched else checks


def check_finite(outputs: Sequence[Array], named: str) -> tuple[TensorCheck, ...]:
    """Check only that the loss of a training step is a number: the weights before the call are unknown."""
    (loss,) = outputs
    right = bool(np.isfinite(loss).all()) and loss.shape == ()
    return (TensorCheck(tensor=LOSS, inputs=named, error=None, worst=None, tolerance=0, passed=right),)
