"""The only timing loop.

One sample is a batch of calls over rotating inputs, timed as a whole from a settled device to a settled device.
Whatever happens between samples (reading counters, keeping results) happens outside the timed region.
"""

import gc
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from schemas.event import LINEAR

Outputs = tuple[Any, ...]
Step = Callable[..., Outputs]
Watch = Callable[[], Callable[[int], int]]
"""Called before a sample; what it returns is called with the sample's time after it, and says what was lost of it."""

Lap = tuple[int, int]
"""So many calls, and the nanoseconds that they took together."""

SINGLE_CALLS = 10
LAP_NS = 1_000_000
MOST_LAPS = 3000
"""An even number, so that each lap has one to be joined with."""


class Stopwatch:
    """Times a step over sets of inputs. All times are in nanoseconds."""

    def __init__(
        self,
        step: Step,
        input_sets: Sequence[tuple[Any, ...]],
        synchronise: Callable[[Outputs], None],
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._step = step
        self._input_sets = input_sets
        self._synchronise = synchronise
        self._clock = clock
        self._rotation = itertools.cycle(input_sets)
        self._taken = 0
        self._last: tuple[int, Outputs] = (0, ())

    def take_last(self) -> tuple[int, Outputs]:
        """Which set of inputs the last call of a sample had, and what it returned; handed out once, then forgotten."""
        last, self._last = self._last, (0, ())
        return last

    def call(self, number: int) -> tuple[int, Outputs]:
        """Time one call on this set of inputs, and keep what it returned."""
        inputs = self._input_sets[number]
        start = self._clock()
        outputs = self._step(*inputs)
        self._synchronise(outputs)
        return max(1, self._clock() - start), outputs

    def sample(self, calls: int) -> int:
        """Time `calls` calls in one go, until their results are there. The inputs go on where they were left."""
        step = self._step
        rotation = list(itertools.islice(self._rotation, calls))
        start = self._clock()
        for inputs in rotation:
            outputs = step(*inputs)
        self._synchronise(outputs)
        took = self._clock() - start
        self._taken += calls
        self._last = ((self._taken - 1) % len(self._input_sets), outputs)
        return max(1, took)

    def warm_up(self, minimum_ns: int, maximum_ns: int) -> tuple[Lap, ...]:
        """Call until calls no longer get faster, for `minimum_ns` to `maximum_ns` after the first few.

        The first calls are timed one by one, and however long they take there are a few of them: TorchScript's third
        call may still be compiling. Then calls are timed in laps of about a millisecond, so that a trace shows how
        the speed develops and not how a clock and a cache flicker. Whenever there are too many laps to look at, each
        two become one, and later ones are as long.
        """
        first: list[Lap] = [(1, self.sample(1)) for _ in range(SINGLE_CALLS)]
        laps: list[Lap] = []
        spent, calls = 0, max(1, LAP_NS // min(took for _, took in first))
        while spent < maximum_ns and not (spent >= minimum_ns and settled([took / n for n, took in (*first, *laps)])):
            if len(laps) == MOST_LAPS:
                laps, calls = joined(laps), 2 * calls
            laps.append((calls, self.sample(calls)))
            spent += laps[-1][1]
        return (*first, *laps)

    def calibrate(self, target_ns: int) -> int:
        """How many calls make a sample of at least about `target_ns`: one, if a call takes that long."""
        calls = 1
        while True:
            took = min(self.sample(calls) for _ in range(3))
            if took >= 0.9 * target_ns:
                return calls
            calls = max(calls + 1, min(calls * 10, int(calls * target_ns / took)))

    def samples(self, calls: int, count: int, observe: Callable[[], None] = lambda: None) -> tuple[int, ...]:
        """Take `count` samples of `calls` calls each, with garbage collection off.

        `observe` is called before the first sample and after each, outside the timed regions.
        """
        gc.collect()
        gc.disable()
        taken = []
        try:
            observe()
            for _ in range(count):
                taken.append(self.sample(calls))
                observe()
        finally:
            gc.enable()
        return tuple(taken)

    def linearity(self, calls: int, watch: Watch = lambda: lambda _: 0, pairs: int = 3, tries: int = 3) -> float | None:
        """The time of twice `calls` calls over that of `calls`, by the fastest of a few: 2, if each call does its work.

        Noise must not accuse: samples that `watch` saw disturbed do not count, and of a few tries the one nearest to 2
        does. If no sample was left alone, nothing is known: None. A call that is a sample by itself is
        long enough to be judged by one pair.
        """
        ratios, pairs = [], 1 if calls == 1 else pairs
        for _ in range(tries):
            times = [(self._alone(calls, watch), self._alone(2 * calls, watch)) for _ in range(pairs)]
            singles, doubles = ([took for took in part if took] for part in zip(*times, strict=True))
            if singles and doubles:
                ratios.append(min(doubles) / min(singles))
                if LINEAR[0] <= ratios[-1] <= LINEAR[1]:
                    break
        return min(ratios, key=lambda ratio: abs(ratio - 2)) if ratios else None

    def _alone(self, calls: int, watch: Watch) -> int | None:
        """The time of one sample; None if more than half a per cent of it was lost to others."""
        lost_ns = watch()
        took = self.sample(calls)
        return took if lost_ns(took) <= 0.005 * took else None

    def overhead_ns(self, calls: int = 10_000) -> float:
        """What the loop itself takes for each call, by a step that returns at once."""
        idle = Stopwatch(lambda *_: (), self._input_sets, lambda _: None, self._clock)
        return min(idle.sample(calls) for _ in range(5)) / calls

    def clock_ns(self) -> float:
        """The shortest time between two readings of the clock."""
        readings = [self._clock() for _ in range(200)]
        return float(min(after - before for before, after in itertools.pairwise(readings)))


def joined(laps: Sequence[Lap]) -> list[Lap]:
    """Each two laps as one."""
    return [(one + other, took + longer) for (one, took), (other, longer) in zip(laps[::2], laps[1::2], strict=True)]


def settled(trace: Sequence[float], window: int = 10, tolerance: float = 0.03) -> bool:
    """Whether the last calls are no longer faster than the ones before them, by their medians."""
    if len(trace) < 2 * window:
        return False
    window = max(window, len(trace) // 4)
    before, last = trace[-2 * window : -window], trace[-window:]
    return statistics.median(last) >= (1 - tolerance) * statistics.median(before)
