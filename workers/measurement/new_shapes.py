"""Inputs of other shapes: the shapes of a stream, and the cost of the first call at each shape.

Retracing, recompiling and re-optimising all count as a *compilation*, if the framework counts them. Otherwise the times
show it: a first call at a new shape takes far longer than the next one at that shape.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from schemas.event import NewShape
from workers.errors import summarise_error
from workers.interfaces import Framework, Step
from workers.measurement.noise import subtract_counts

if TYPE_CHECKING:
    from workers.problem.problem import Problem
    from workers.results import ResultsWriter

NEW_SHAPE = "first calls on another shape"


class RecordingStep:
    """A step that records the time of each call, on inputs of shapes that it has not seen before.

    Each call is repeated, unless it moves weights: the second time is the cost of the shape itself.
    """

    def __init__(
        self, framework: Framework, step: Step, *, twice: bool, clock: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        self._framework, self._step, self._twice, self._clock = framework, step, twice, clock
        self.notes: list[NewShape] = []

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        """Call the step."""
        before = self._framework.compilations()
        first_ns, outputs = self._time_call(inputs)
        # Counted before the second call: a compilation there must not be taken for one of the first.
        compiled, second_ns = subtract_counts(before, self._framework.compilations()), None
        if self._twice:
            second_ns, outputs = self._time_call(inputs)
        self.notes.append(NewShape(first_ns=first_ns, second_ns=second_ns, compilations=compiled))
        return outputs

    def _time_call(self, inputs: Sequence[Any]) -> tuple[int, tuple[Any, ...]]:
        start = self._clock()
        outputs = self._step(*inputs)
        self._framework.synchronise(outputs)
        return max(1, self._clock() - start), outputs


def try_new_shapes(
    problem: "Problem", framework: Framework, step: Step, results: "ResultsWriter"
) -> tuple[NewShape, ...]:
    """Call a step at every shape that it has not seen, up to one that raises; return the costs, and save the results.

    They expose a mode that has baked in the first shape.
    """
    noted = RecordingStep(framework, step, twice=not problem.is_training)
    for case, inputs in problem.new_shapes.items():
        try:
            results.add_results(case, NEW_SHAPE, problem.compute_results(framework, noted, inputs))
        except Exception as error:  # whatever a framework raises at a new shape is the finding itself
            results.add_error(case, NEW_SHAPE, summarise_error(error))
            break
    return tuple(noted.notes)
