"""One cell's computation with its data: the weights and inputs, and what they must give.

Importing this imports NumPy, so it is imported after the framework, whose import is timed.
"""

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from schemas.event import Check, Verification, Work
from schemas.job import TRAINING, Cell
from workers import workloads
from workers.arrays import Array, cast
from workers.draws import drawn
from workers.errors import last_line
from workers.frameworks import Framework, Shape, Step, trainer_of
from workers.training import STEPS
from workers.verify import LOSS, Expectation, moves, of_call, of_training, outputs_by_name, verdict
from workers.workloads import running, trained

INPUT_SETS = 4
"""Timed calls rotate over so many sets of inputs, so that no result can be kept for the next call."""


class Problem:
    """Weights and inputs as float64 arrays, rounded to what float32 holds unless the cell computes in float64.

    The same seed, parameters and batch give the same arrays in every framework.
    """

    def __init__(self, cell: Cell, seed: int) -> None:
        self._cell = cell
        self._reference = workloads.reference(cell.workload)
        rng = np.random.default_rng(seed)
        timed, *others = self._reference.shapes(cell.parameters, cell.batch)
        self.weights = {
            name: self._rounded(weight) for name, weight in self._reference.weights(cell.parameters, rng).items()
        }
        self.input_sets = self._draw(rng, timed, INPUT_SETS)
        self.other_shapes = [inputs for shapes in others for inputs in self._draw(rng, shapes, 1)]

    @property
    def trains(self) -> bool:
        """Whether weights move from call to call."""
        return self._cell.task in TRAINING

    @property
    def itemsize(self) -> int:
        """Bytes of one number of the cell's dtype."""
        return {"float64": 8, "float32": 4, "bfloat16": 2}[self._cell.dtype]

    def work(self) -> Work:
        """What one call has to do at least: the arithmetic, and every weight, input and result touched once."""
        cell = self._cell
        flops = self._reference.flops(cell.parameters, cell.batch, cell.task)
        counted: Any = getattr(self._reference, "elements", None)
        elements = counted(cell.parameters, cell.batch, cell.task) if counted else self._elements()
        return Work(flops=flops, bytes=elements * self.itemsize)

    def _elements(self) -> int:
        """Numbers in all weights, inputs and results, of which training has its gradients if nothing else."""
        weights, inputs = self.weights.values(), self.input_sets[0]
        results = [1, *(weight.size for weight in trained(self.weights).values())]
        if self._cell.task == "forward":
            output = outputs_by_name(self._reference.forward(self._cell.parameters, self.weights, *inputs))
            results = [each.size for each in output.values()]
        return sum(array.size for array in (*weights, *inputs)) + sum(results)

    def axes(self) -> list[Shape]:
        """The shape of each input, with None for every axis whose size the inputs decide."""
        sets = [self.input_sets[0], *self.other_shapes]
        return [
            tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True))
            for shapes in zip(*([value.shape for value in inputs] for inputs in sets), strict=True)
        ]

    def sha256(self) -> str:
        """Over every byte of the data, so that two jobs can be shown to have computed the same."""
        digest = hashlib.sha256()
        for array in (*self.weights.values(), *(a for inputs in self.input_sets + self.other_shapes for a in inputs)):
            digest.update(array.tobytes())
        return digest.hexdigest()

    def check(self, outputs: Sequence[Array], number: int, when: str) -> Verification:
        """Compare what a call on this set of inputs returned with the reference."""
        named = f"input set {number}, {when}"
        if self.trains:
            checks = finite(outputs, named)
        else:
            checks = self._expectation(self.input_sets[number]).check(outputs, named)
        return Verification(checks=checks, reason=verdict(checks))

    def check_training(self, framework: Framework, step: Step, when: str) -> Verification:
        """Train from the beginning for a few steps, and compare their losses and where the weights have come to.

        Nothing for a task that trains nothing.
        """
        if not self.trains:
            return Verification(checks=())
        sets = self.input_sets[:STEPS]
        named = f"{STEPS} steps of training, {when}"
        checks = self._expectation(*sets).check(self._results(framework, step, *sets), named)
        return Verification(checks=checks, reason=verdict(checks))

    def _results(self, framework: Framework, step: Step, *sets: tuple[Array, ...]) -> list[Array]:
        """What a step gives on a set of inputs; of training, on each set in turn from the beginning, and its moves."""
        if not self.trains:
            (inputs,) = sets
            return framework.to_numpy(step(*framework.arrays(inputs)))
        trainer = trainer_of(framework)
        trainer.restart()
        losses = [framework.to_numpy(step(*framework.arrays(inputs)))[0] for inputs in sets]
        names = (*trained(self.weights), *running(self.weights))
        now = dict(zip(names, framework.to_numpy(trainer.state()), strict=True))
        return [*losses, *moves(now, self.weights).values()]

    def check_other_shapes(self, framework: Framework, step: Step) -> Verification:
        """The same on inputs of other shapes, where a mode that baked in the first shape is found out."""
        checks: list[Check] = []
        for inputs in self.other_shapes:
            named = "inputs of shape " + " ".join(str(value.shape) for value in inputs)
            try:
                outputs = self._results(framework, step, inputs)
            except Exception as error:  # whatever a framework raises at a new shape is the finding itself
                return Verification(checks=tuple(checks), reason=f"on {named} it raised {last_line(error)}")
            checks += self._expectation(inputs).check(outputs, named)
        reason = verdict(checks)
        return Verification(
            checks=tuple(checks), reason=reason and f"right on the shape it was prepared with, but {reason}"
        )

    def _expectation(self, *sets: tuple[Array, ...]) -> Expectation:
        cell = self._cell
        known = (self._reference, cell.task, cell.parameters, self.weights)
        return Expectation(of_training(*known, sets) if self.trains else of_call(*known, *sets), cell.dtype)

    def _draw(self, rng: np.random.Generator, shapes: workloads.Shapes, number: int) -> list[tuple[Array, ...]]:
        reference, sizes = self._reference, self._cell.parameters
        path: Any = getattr(reference, "path", None)

        def draw() -> tuple[Array, ...]:
            return tuple(self._rounded(value) for value in reference.inputs(sizes, rng, shapes))

        return drawn(draw, number, path and partial(path, sizes, self.weights))

    def _rounded(self, value: Array) -> Array:
        return cast(cast(value, np.float64 if self._cell.dtype == "float64" else np.float32), np.float64)


def finite(outputs: Sequence[Array], named: str) -> tuple[Check, ...]:
    """Of a call in the midst of training only that its loss is a number: where its weights were, nobody knows."""
    (loss,) = outputs
    right = bool(np.isfinite(loss).all()) and loss.shape == ()
    return (Check(tensor=LOSS, inputs=named, error=None, worst=None, tolerance=0, passed=right),)
