"""Inputs of other shapes: which there are in a stream of them, and what the first call at each of them costs.

Retracing, recompiling and re-optimising are one thing here, a *compilation*, as far as the framework counts it. Where
it does not, the times tell: a first call at a new shape that takes far longer than the next one at that shape.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.event import NewShape, Verification
from workers.frameworks import Framework, Step
from workers.noise import difference
from workers.workloads import Parameters

if TYPE_CHECKING:
    from workers.problem import Problem

STREAM = 12
"""So many shapes come in turn in a stream: more than PyTorch's compiler will compile one function for."""

LENGTH, FIXED_LENGTH = "length", "fixed_length"


def stream(parameters: Parameters, batch: int, rng: np.random.Generator) -> list[tuple[Parameters, int]]:
    """Parameters and batch of each shape of a stream, in random order.

    The length varies where the inputs decide one, and the batch elsewhere: from half of what was asked for to one and a
    half of it, and farther where that is not enough numbers.
    """
    if LENGTH in parameters and not parameters.get(FIXED_LENGTH, 0):
        sizes = spread(parameters[LENGTH], least=2)
        found = [({**parameters, LENGTH: size}, batch) for size in sizes]
    else:
        found = [(dict(parameters), size) for size in spread(batch, least=1)]
    return [found[place] for place in rng.permutation(STREAM)]


def spread(size: int, least: int) -> list[int]:
    """Different sizes around one, as evenly as whole numbers can be."""
    low = max(least, size // 2)
    high = max(low + STREAM - 1, 3 * size // 2)
    return [low + round((high - low) * place / (STREAM - 1)) for place in range(STREAM)]


class Noted:
    """A step that notes how long each call of it takes, on inputs of shapes that it has not seen before.

    Each is called twice, unless weights move with it: what the second call takes is what the shape itself costs.
    """

    def __init__(
        self, framework: Framework, step: Step, *, twice: bool, clock: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        self._framework, self._step, self._twice, self._clock = framework, step, twice, clock
        self.notes: list[NewShape] = []

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        """Call the step."""
        before = self._framework.compilations()
        first_ns, outputs = self._timed(inputs)
        compiled, second_ns = difference(before, self._framework.compilations()), None
        if self._twice:
            second_ns, outputs = self._timed(inputs)
        self.notes.append(NewShape(first_ns=first_ns, second_ns=second_ns, compilations=compiled))
        return outputs

    def _timed(self, inputs: Sequence[Any]) -> tuple[int, tuple[Any, ...]]:
        start = self._clock()
        outputs = self._step(*inputs)
        self._framework.synchronise(outputs)
        return max(1, self._clock() - start), outputs


def tried(
    problem: "Problem", framework: Framework, step: Step
) -> tuple[tuple[NewShape, ...], tuple[Verification, ...]]:
    """Call a step on inputs of every shape that it has not seen: what that cost, and whether it was right."""
    noted = Noted(framework, step, twice=not problem.trains)
    checked = list[Verification]()
    for case in problem.new_shapes:
        checked.append(problem.check_at(framework, noted, case))
        if checked[-1].reason:
            break
    return tuple(noted.notes), tuple(checked)
