"""The only timing loop.

One sample is a batch of calls over rotating inputs, timed as a whole from a settled device to a settled device.
Everything between samples (reading counters, keeping results) happens outside the timed region.

Code that decides which samples to take (warm-up, calibration) requests each by `yield`, and `carry_out` takes it. So a
timed call has only a few frames of Python under it, however deep in the harness it was requested. TensorFlow's eager
mode walks the stack for each operation, and two more frames make it three per cent slower.
"""

import gc
import itertools
import statistics
import time
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

from schemas.event import LINEARITY_RANGE

T = TypeVar("T")

Outputs = tuple[Any, ...]
Step = Callable[..., Outputs]
# Called before a sample. It returns a function that takes the sample's time and returns the part lost to others.
Watch = Callable[[], Callable[[int], int]]

# A number of calls, and the nanoseconds that they took together.
Lap = tuple[int, int]

# Work that requests timed regions: it yields each as a callable, and receives the result.
Timed: TypeAlias = Generator[Callable[[], Any], Any, T]

SINGLE_CALLS = 10
LAP_NS = 1_000_000

# Even, so that laps can be joined in pairs.
MAX_LAPS = 3000


def carry_out(work: Timed[T]) -> T:
    """Run each requested region, and return the result of the work.

    An error in a region is raised where the region was requested.
    """
    answer: Any = None
    error: Exception | None = None
    while True:
        try:
            region = work.send(answer) if error is None else work.throw(error)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        answer = error = None
        try:
            answer = region()
        except Exception as raised:  # whatever a framework raises
            error = raised


class Stopwatch:
    """Timer of a step over sets of inputs. All times are in nanoseconds.

    If the sets are `uneven` work, a sample goes through all of them equally often.
    """

    def __init__(
        self,
        step: Step,
        input_sets: Sequence[tuple[Any, ...]],
        synchronise: Callable[[Outputs], None],
        clock: Callable[[], int] = time.perf_counter_ns,
        *,
        uneven: bool = False,
    ) -> None:
        self._step = step
        self._turn = len(input_sets) if uneven else 1
        self.input_sets = input_sets
        self._synchronise = synchronise
        self._clock = clock
        self._rotation = itertools.cycle(input_sets)
        self._taken = 0
        self._last: tuple[int, Outputs] = (0, ())

    def take_last(self) -> tuple[int, Outputs]:
        """Return the number of the input set and the outputs of the last sampled call, once, then forget them."""
        last, self._last = self._last, (0, ())
        return last

    def time_call(self, inputs: tuple[Any, ...]) -> tuple[int, Outputs]:
        """Time one call on these inputs; return the time and the outputs."""
        start = self._clock()
        outputs = self._step(*inputs)
        self._synchronise(outputs)
        return max(1, self._clock() - start), outputs

    def take_sample(self, calls: int) -> int:
        """Time `calls` calls as a whole, until their results are ready. The inputs continue where they stopped."""
        # A local variable: an attribute would be looked up within the timed region, at every call.
        step = self._step
        # Drawn before the clock starts, so that the iterator's time is not counted.
        rotation = list(itertools.islice(self._rotation, calls))
        start = self._clock()
        for inputs in rotation:
            outputs = step(*inputs)
        self._synchronise(outputs)
        took = self._clock() - start
        self._taken += calls
        self._last = ((self._taken - 1) % len(self.input_sets), outputs)
        return max(1, took)

    def warm_up(self, minimum_ns: int, maximum_ns: int) -> Timed[tuple[Lap, ...]]:
        """Call until calls no longer get faster, for `minimum_ns` to `maximum_ns` after the first few.

        The first calls are timed one by one, and a few are made however long they take: TorchScript's third call may
        still be compiling. Then calls are timed in laps of about a millisecond, so that a trace shows the trend and
        not the jitter of clock and caches. Whenever there are too many laps, each two become one, and later laps are
        as long.
        """
        first: list[Lap] = [(1, took) for took in (yield from self._request_samples(1, SINGLE_CALLS))]
        laps: list[Lap] = []
        spent, calls = 0, self.round_to_turns(LAP_NS // min(took for _, took in first))
        while spent < maximum_ns and not (
            spent >= minimum_ns and has_settled([took / n for n, took in (*first, *laps)])
        ):
            if len(laps) == MAX_LAPS:
                laps, calls = join_laps(laps), 2 * calls
            laps += [(calls, took) for took in (yield from self._request_samples(calls, 1))]
            spent += laps[-1][1]
        return (*first, *laps)

    def calibrate_calls(self, target_ns: int) -> Timed[int]:
        """Return the number of calls in a sample of at least about `target_ns`: one turn, if that takes as long."""
        calls = self._turn
        while True:
            took = min((yield from self._request_samples(calls, 3)))
            if took >= 0.9 * target_ns:
                return calls
            calls = self.round_to_turns(max(calls + 1, min(calls * 10, int(calls * target_ns / took))))

    def round_to_turns(self, calls: int) -> int:
        """Round a number of calls up, so that each set of inputs comes equally often if the sets are uneven."""
        return max(1, -(-calls // self._turn)) * self._turn

    def take_samples(
        self, calls: int, count: int, observe: Callable[[], None] = lambda: None
    ) -> Timed[tuple[int, ...]]:
        """Take `count` samples of `calls` calls each, with garbage collection off.

        `observe` is called before the first sample and after each, outside the timed regions.
        """
        gc.collect()
        gc.disable()
        taken = list[int]()
        try:
            observe()
            while len(taken) < count:
                taken += yield from self._request_samples(calls, 1)
                observe()
        finally:
            gc.enable()
        return tuple(taken)

    def measure_linearity(
        self, calls: int, watch: Watch = lambda: lambda _: 0, pairs: int = 3, tries: int = 3
    ) -> Timed[float | None]:
        """Return the time of twice `calls` calls over that of `calls`, by the fastest of a few.

        It is 2 if each call does its work. Noise must not accuse an honest step: disturbed samples do not count, and
        of a few tries the one nearest to 2 counts. None: all samples were disturbed. A turn that is a sample by itself
        is long enough to be judged by one pair.
        """
        ratios, pairs = [], 1 if calls == self._turn else pairs
        for _ in range(tries):
            singles, doubles = list[int](), list[int]()
            for _ in range(pairs):
                # Taken in turn, so that a change of the machine's speed affects both alike.
                singles += yield from self._take_undisturbed(calls, watch)
                doubles += yield from self._take_undisturbed(2 * calls, watch)
            if singles and doubles:
                ratios.append(min(doubles) / min(singles))
                if LINEARITY_RANGE[0] <= ratios[-1] <= LINEARITY_RANGE[1]:
                    break
        return min(ratios, key=lambda ratio: abs(ratio - 2)) if ratios else None

    def _take_undisturbed(self, calls: int, watch: Watch) -> Timed[list[int]]:
        """Return the time of one sample; nothing if more than half a per cent of it was lost to others."""
        lost_ns = watch()
        return [took for took in (yield from self._request_samples(calls, 1)) if lost_ns(took) <= 0.005 * took]

    def _request_samples(self, calls: int, count: int) -> Timed[list[int]]:
        """Request `count` samples of `calls` calls each."""
        taken = list[int]()
        while len(taken) < count:
            taken.append((yield partial(self.take_sample, calls)))
        return taken

    def measure_overhead_ns(self, calls: int = 10_000) -> float:
        """Measure the time per call of the loop itself, by a step that returns at once."""
        # With the same input sets, so that unpacking the arguments is part of the overhead.
        idle = Stopwatch(lambda *_: (), self.input_sets, lambda _: None, self._clock)
        return min(idle.take_sample(calls) for _ in range(5)) / calls

    def measure_clock_ns(self) -> float:
        """Measure the shortest time between two readings of the clock."""
        readings = [self._clock() for _ in range(200)]
        return float(min(after - before for before, after in itertools.pairwise(readings)))


def join_laps(laps: Sequence[Lap]) -> list[Lap]:
    """Join each two laps into one."""
    return [(one + other, took + longer) for (one, took), (other, longer) in zip(laps[::2], laps[1::2], strict=True)]


def has_settled(trace: Sequence[float], window: int = 10, tolerance: float = 0.03) -> bool:
    """Return whether the last calls are no longer faster than those before them, by their medians."""
    if len(trace) < 2 * window:
        return False
    window = max(window, len(trace) // 4)
    before, last = trace[-2 * window : -window], trace[-window:]
    return statistics.median(last) >= (1 - tolerance) * statistics.median(before)
