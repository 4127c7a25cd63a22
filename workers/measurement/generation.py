"""A model that is called in a loop, as one that generates tokens: the time of each call in the loop, and its memory."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from schemas.event import Generation
from workers.errors import Unsupported
from workers.interfaces import CopiesOutputs, ReusesOutputs, Step
from workers.measurement.growth import read_kept_bytes

if TYPE_CHECKING:
    from workers.interfaces import Framework

# No loop begins after this time, so that a job of long loops does not miss its deadline.
LONGEST_NS = 1_000_000_000
MOST_LOOPS = 50

# All loops together keep so many times at most, unless the first alone has more.
MOST_TIMES = 5_000


class LoopedStep:
    """A step that calls another one several times. A timed call is the whole loop.

    The first output of each call is a result. Its other outputs are the inputs of the next call, in the framework's own
    arrays.
    """

    def __init__(self, step: Step, calls: int) -> None:
        """Repeat a step whose outputs stay as they are when it is called again."""
        self.step, self.calls = step, calls

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        """Run the loop, and return the results of all calls."""
        made, following = list[Any](), [*inputs]
        for _ in range(self.calls):
            result, *following = self.step(*following)
            made.append(result)
        return tuple(made)


def repeat_calls(framework: "Framework", step: Step, calls: int) -> Step:
    """Return a step that calls this one in a loop; a single call needs none.

    Outputs that the next call would overwrite are copied, as a program has to that calls in a loop.

    Raises:
        Unsupported: nothing copies them.
    """
    if calls == 1:
        return step
    if not (isinstance(framework, ReusesOutputs) and framework.reuses_outputs):
        return LoopedStep(step, calls)
    if not isinstance(framework, CopiesOutputs):
        raise Unsupported("its calls overwrite the outputs of earlier calls, which a loop still needs")

    def call_and_copy(*inputs: Any) -> tuple[Any, ...]:
        return framework.copy_outputs(step(*inputs))

    return LoopedStep(call_and_copy, calls)


def repeat_like(framework: "Framework", looped: Step, step: Step) -> Step:
    """Return a step that calls this one as often as another step calls its own."""
    return repeat_calls(framework, step, looped.calls if isinstance(looped, LoopedStep) else 1)


def measure_generation(
    framework: "Framework",
    step: LoopedStep,
    input_sets: Sequence[tuple[Any, ...]],
    clock: Callable[[], int] = time.perf_counter_ns,
) -> Generation:
    """Time each call of several loops, and read the memory before and after one more.

    Every call is waited for, as by a user who reads each token.
    """
    loops, begun = list[tuple[int, ...]](), clock()
    most = min(MOST_LOOPS, MOST_TIMES // step.calls)
    while not loops or (len(loops) < most and clock() - begun < LONGEST_NS):
        loops.append(time_calls(framework, step, input_sets[len(loops) % len(input_sets)], clock))
    return Generation(calls_ns=tuple(loops), anonymous=read_memory(framework, step, input_sets[0]))


def time_calls(
    framework: "Framework", step: LoopedStep, inputs: Sequence[Any], clock: Callable[[], int]
) -> tuple[int, ...]:
    """Return the time of each call in one loop, until its result is ready."""
    took = []
    for _ in range(step.calls):
        start = clock()
        outputs = step.step(*inputs)
        framework.synchronise(outputs)
        took.append(max(1, clock() - start))
        inputs = outputs[1:]
    return tuple(took)


def read_memory(framework: "Framework", step: LoopedStep, inputs: Sequence[Any]) -> tuple[int, ...]:
    """Read the memory before a loop and after its last call; nothing if the kernel does not count it.

    What the last call returns beside its result is still there: the state has its full size.
    """
    before, state = read_kept_bytes(), inputs
    if not before:
        return ()
    for _ in range(step.calls):
        outputs = step.step(*state)
        framework.synchronise(outputs)
        state = outputs[1:]
        del outputs  # of a call, only the state is kept
    return before, read_kept_bytes()
