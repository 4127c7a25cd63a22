"""One cell's computation with its data: the weights and inputs, and what they must give.

Importing this imports NumPy, so it is imported after the framework, whose import is timed.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from schemas.event import Check, Verification, Work
from schemas.job import Cell
from workers import workloads
from workers.arrays import Array
from workers.errors import last_line
from workers.frameworks import Framework, Shape, Step
from workers.verify import Expectation, verdict

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
            name: self._rounded(weight) for name, weight in self._reference.weights(rng, cell.parameters).items()
        }
        self.input_sets = [self._draw(rng, timed) for _ in range(INPUT_SETS)]
        self.other_shapes = [self._draw(rng, shapes) for shapes in others]

    @property
    def itemsize(self) -> int:
        """Bytes of one number of the cell's dtype."""
        return {"float64": 8, "float32": 4, "bfloat16": 2}[self._cell.dtype]

    def work(self) -> Work:
        """What one call has to do at least: the arithmetic, and every weight, input and result touched once."""
        cell = self._cell
        results = self._expectation(self.input_sets[0]).tensors.values()
        numbers = sum(array.size for array in (*self.weights.values(), *self.input_sets[0], *results))
        flops = self._reference.flops(cell.parameters, cell.batch, cell.task)
        return Work(flops=flops, bytes=numbers * self.itemsize)

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
        checks = self._expectation(self.input_sets[number]).check(outputs, f"input set {number}, {when}")
        return Verification(checks=checks, reason=verdict(checks))

    def check_other_shapes(self, framework: Framework, step: Step) -> Verification:
        """The same on inputs of other shapes, where a mode that baked in the first shape is found out."""
        checks: list[Check] = []
        for inputs in self.other_shapes:
            named = "inputs of shape " + " ".join(str(value.shape) for value in inputs)
            try:
                outputs = framework.to_numpy(step(*framework.arrays(inputs)))
            except Exception as error:  # whatever a framework raises at a new shape is the finding itself
                return Verification(checks=tuple(checks), reason=f"on {named} it raised {last_line(error)}")
            checks += self._expectation(inputs).check(outputs, named)
        reason = verdict(checks)
        return Verification(
            checks=tuple(checks), reason=reason and f"right on the shape it was prepared with, but {reason}"
        )

    def _expectation(self, inputs: tuple[Array, ...]) -> Expectation:
        return Expectation(self._reference, self._cell.task, self._cell.dtype, self.weights, inputs)

    def _draw(self, rng: np.random.Generator, shapes: workloads.Shapes) -> tuple[Array, ...]:
        return tuple(self._rounded(value) for value in self._reference.inputs(rng, shapes))

    def _rounded(self, value: Array) -> Array:
        kept = np.float64 if self._cell.dtype == "float64" else np.float32
        return np.asarray(value, kept).astype(np.float64)
