"""The only timing loop.

One sample is a batch of calls over rotating inputs, timed as a whole from a settled device to a settled device.
Everything between samples (reading counters, keeping results) happens outside the timed region.

Code that decides which samples to take (warm-up, calibration) requests each by `yield`, and `carry_out` takes it. So a
timed call has only a few frames of Python under it, however deep in the harness it was requested. TensorFlow's eager
mode walks the stack for each operation, and two more frames make it three per cent slower.
"""

import gc
import itertools
import math
import random
import statistics
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from schemas.event import LINEARITY_RANGE, SINGLE_CALLS

T = TypeVar("T")

Outputs = tuple[Any, ...]
Step = Callable[..., Outputs]
# Called before samples. It returns a function that is called after them, and takes the wall and the CPU time of one of
# them in nanoseconds. It returns the part lost to others.
Watch = Callable[[], Callable[[int, int], int]]

# A number of calls, and the nanoseconds that they took together.
Lap = tuple[int, int]

# Work that requests timed regions: it yields each as a callable, and receives the result.
Timed: TypeAlias = Generator[Callable[[], Any], Any, T]

LAP_NS = 1_000_000

# Samples in which one call's outputs are kept and verified.
PROBES = 4

# Even, so that laps can be joined in pairs.
MAX_LAPS = 3000

# A sample waits for its last result once. It is at least this many times as long as that waiting.
SYNCHRONISATION_FACTOR = 200

# Samples that are single long calls are taken for about this long, but never fewer than these.
MAX_SAMPLING_NS = 500_000_000
FEWEST_SAMPLES = 10

# Single calls are timed for at most this long.
MAX_LATENCY_NS = 2_000_000_000

# The share of a sample's calls that are made untimed after the counters were read, to fill the caches again.
SETTLING_SHARE = 0.1

# Share of a sample that may be lost to others before it counts as disturbed.
MAX_LOST_SHARE = 0.005

# An accusation needs this many undisturbed ratios, and only this many are tried.
ENOUGH_RATIOS, MOST_RATIOS = 6, 18

# Samples are tried at so many lengths, each twice the one before, until they are linear.
MOST_DOUBLINGS = 4

# Chance that a limit of `bound_ratios` lies on the wrong side of the median.
BOUND_ERROR = 0.025


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
        input_sets: list[tuple[Any, ...]],
        synchronise: Callable[[Outputs], None],
        clock: Callable[[], int] = time.perf_counter_ns,
        cpu_clock: Callable[[], int] = time.process_time_ns,
        *,
        uneven: bool = False,
    ) -> None:
        self._step = step
        self._turn = len(input_sets) if uneven else 1
        self.input_sets = input_sets
        self._synchronise = synchronise
        self._clock = clock
        self._cpu_clock = cpu_clock
        self.numbers = list(range(len(input_sets)))
        """The numbers of the sets of inputs that are timed now."""
        self._taken = 0
        self._last: tuple[int, Outputs] = (0, ())
        self._probed: list[tuple[int, Outputs]] = []
        self.cpu_ns = 0
        """CPU time of the latest call or sample, all threads together."""

    @property
    def calls_taken(self) -> int:
        """Return the number of sampled calls so far."""
        return self._taken

    def make_other(self, input_sets: list[tuple[Any, ...]]) -> "Stopwatch":
        """Return a timer of the same step over other sets of inputs."""
        return Stopwatch(self._step, input_sets, self._synchronise, self._clock, self._cpu_clock)

    def replace_set(self, place: int, number: int, inputs: tuple[Any, ...]) -> None:
        """Put another set of inputs into a place among the timed ones, for the samples from now on."""
        self.input_sets[place], self.numbers[place] = inputs, number

    def take_last(self) -> tuple[int, Outputs]:
        """Return the number of the input set and the outputs of the last sampled call, once, then forget them."""
        last, self._last = self._last, (0, ())
        return last

    def take_probed(self) -> list[tuple[int, Outputs]]:
        """Return the numbers of the input sets and the outputs of the probed calls, once, then forget them."""
        probed, self._probed = self._probed, []
        return probed

    def time_call(self, inputs: tuple[Any, ...]) -> tuple[int, Outputs]:
        """Time one call on these inputs; return the time and the outputs."""
        used = self._cpu_clock()
        start = self._clock()
        outputs = self._step(*inputs)
        self._synchronise(outputs)
        took = self._clock() - start
        self.cpu_ns = self._cpu_clock() - used
        return max(1, took), outputs

    def take_sample(self, calls: int, probe: int | None = None) -> int:
        """Time `calls` calls as a whole, until their results are ready. The inputs continue where they stopped.

        The outputs of the call with the number `probe` are kept.
        """
        # A local variable: an attribute would be looked up within the timed region, at every call.
        step = self._step
        # Listed before the clock starts, so that only the loop over them is counted.
        begin, count = self._taken % len(self.input_sets), len(self.input_sets)
        turn = [*self.input_sets[begin:], *self.input_sets[:begin]]
        rotation = list(itertools.islice(itertools.cycle(turn), calls))
        # Two loops in every sample, so that one with a probe takes as long and looks the same to the step.
        until = calls if probe is None else probe + 1
        head, tail = rotation[:until], rotation[until:]
        used = self._cpu_clock()
        start = self._clock()
        for inputs in head:
            outputs = step(*inputs)
        probed = outputs
        for inputs in tail:
            outputs = step(*inputs)
        self._synchronise(outputs)
        took = self._clock() - start
        self.cpu_ns = self._cpu_clock() - used
        if probe is not None:
            self._probed.append((self.numbers[(self._taken + probe) % count], probed))
        self._taken += calls
        self._last = (self.numbers[(self._taken - 1) % count], outputs)
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

    def calibrate_calls(self, target_ns: int, call_ns: float = 0) -> Timed[int]:
        """Return the number of calls in a sample of at least about `target_ns`: one turn, if that takes as long.

        `call_ns` is a first estimate of the time of a call; 0: unknown. A sample grows with the time that waiting for
        a result takes, so that the waiting is a negligible part of it.
        """
        calls = self.round_to_turns(int(target_ns / call_ns) if call_ns else 1)
        # Where a call is much longer than a sample, a few more of them would take long, and waiting is no matter.
        if calls * call_ns < 2 * target_ns:
            target_ns = max(target_ns, SYNCHRONISATION_FACTOR * (yield from self._measure_synchronisation_ns()))
        while True:
            took = min((yield from self._request_samples(calls, 3)))
            if took >= 0.9 * target_ns:
                return calls
            calls = self.round_to_turns(max(calls + 1, min(calls * 10, int(calls * target_ns / took))))

    def _measure_synchronisation_ns(self) -> Timed[int]:
        """Measure the time of waiting for a result that exists already, by the fastest of a few."""

        waits = list[int]()
        while len(waits) < 3:
            _, outputs = yield partial(self.time_call, self.input_sets[0])
            waits.append((yield partial(self._time_waiting, outputs)))
        return min(waits)

    def _time_waiting(self, outputs: Outputs) -> int:
        start = self._clock()
        self._synchronise(outputs)
        return self._clock() - start

    def round_to_turns(self, calls: int) -> int:
        """Round a number of calls up, so that each set of inputs comes equally often if the sets are uneven."""
        return max(1, -(-calls // self._turn)) * self._turn

    def take_samples(
        self,
        calls: int,
        count: int,
        observe: Callable[[], None] = lambda: None,
        burst: int = 1,
        probes: Mapping[int, int] = MappingProxyType({}),
    ) -> Timed[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Take `count` samples of `calls` calls each, with garbage collection off.

        Return their times, and the CPU times of all threads together. `observe` is called before the first sample and
        after each `burst` of samples, outside the timed regions. A few calls after each of its readings are not timed:
        the reading has taken caches from the step. `probes` are numbers of samples, each with that of the call whose
        outputs are kept.
        """
        gc.collect()
        gc.disable()
        settling = 0 if calls == self._turn else self.round_to_turns(int(SETTLING_SHARE * calls))
        taken, used = list[int](), list[int]()
        try:
            observe()
            while len(taken) < count:
                yield from self._request_samples(settling, 1 if settling else 0)
                for _ in range(min(burst, count - len(taken))):
                    taken.append((yield partial(self.take_sample, calls, probes.get(len(taken)))))
                    used.append(self.cpu_ns)
                observe()
        finally:
            gc.enable()
        return tuple(taken), tuple(used)

    def take_calls(self, count: int) -> Timed[tuple[int, ...]]:
        """Time `count` single calls, with garbage collection off: fewer if they take too long, but at least ten.

        The inputs continue where they stopped.
        """
        gc.collect()
        gc.disable()
        taken, spent = list[int](), 0
        try:
            while len(taken) < count and (len(taken) < FEWEST_SAMPLES or spent < MAX_LATENCY_NS):
                taken += yield from self._request_samples(1, 1)
                spent += taken[-1]
        finally:
            gc.enable()
        return tuple(taken)

    def lengthen_samples(self, calls: int, watch: Watch = lambda: lambda *_: 0) -> Timed[tuple[int, float | None]]:
        """Return the number of calls from which on twice the calls take twice the time, and the linearity there.

        Calls may overlap: while one computes, the next is dispatched. The first call of a sample overlaps with nothing,
        so a sample takes some time by itself, which must be a negligible part. A step that does its work once a sample,
        whatever the number of calls, stays nonlinear, and its number of calls stays what it was.
        """
        longer = calls
        for _ in range(MOST_DOUBLINGS):
            linearity = yield from self.measure_linearity(longer, watch)
            if linearity is None or linearity >= LINEARITY_RANGE[0]:
                return longer, linearity
            longer *= 2
        return calls, linearity

    def measure_linearity(self, calls: int, watch: Watch = lambda: lambda *_: 0) -> Timed[float | None]:
        """Return the time of twice `calls` calls over that of `calls`, or a bound of it.

        It is 2 if each call does its work. Noise must not accuse an honest step, so disturbed pairs do not count. If
        the fastest of three pairs agree with 2, the ratio is theirs. Otherwise it is the bound nearest to 2 of an
        interval over more pairs. None: too few pairs were undisturbed, or their interval holds an acceptable ratio.
        """
        # A turn that is a sample by itself is long enough to be judged by one pair.
        pairs = yield from self._time_doubles(calls, watch, 1 if calls == self._turn else 3)
        if pairs:
            ratio = min(double for _, double in pairs) / min(single for single, _ in pairs)
            if LINEARITY_RANGE[0] <= ratio <= LINEARITY_RANGE[1]:
                return ratio
        tried = len(pairs)
        while len(pairs) < 2 * ENOUGH_RATIOS and tried < MOST_RATIOS:
            pairs += yield from self._time_doubles(calls, watch, 1)
            tried += 1
        low, high = bound_ratios([double / single for single, double in pairs])
        return low if low > LINEARITY_RANGE[1] else high if high < LINEARITY_RANGE[0] else None

    def _time_doubles(self, calls: int, watch: Watch, count: int) -> Timed[list[tuple[int, int]]]:
        """Time pairs of a sample and one of twice the calls; return the undisturbed ones."""
        pairs = list[tuple[int, int]]()
        for _ in range(count):
            # Taken in turn, so that a change of the machine's speed affects both alike.
            singles = yield from self._take_undisturbed(calls, watch)
            doubles = yield from self._take_undisturbed(2 * calls, watch)
            pairs += zip(singles, doubles, strict=False)
        return pairs

    def _take_undisturbed(self, calls: int, watch: Watch) -> Timed[list[int]]:
        """Return the time of one sample; nothing if too much of it was lost to others."""
        lost_ns = watch()
        (took,) = yield from self._request_samples(calls, 1)
        return [took] if lost_ns(took, self.cpu_ns) <= MAX_LOST_SHARE * took else []

    def _request_samples(self, calls: int, count: int) -> Timed[list[int]]:
        """Request `count` samples of `calls` calls each."""
        taken = list[int]()
        while len(taken) < count:
            taken.append((yield partial(self.take_sample, calls)))
        return taken

    def measure_overhead_ns(self, calls: int = 10_000) -> float:
        """Measure the time per call of the loop itself, by a step that returns at once."""
        # With the same input sets, so that unpacking the arguments is part of the overhead.
        idle = Stopwatch(lambda *_: (), self.input_sets, lambda _: None, self._clock, self._cpu_clock)
        return min(idle.take_sample(calls) for _ in range(5)) / calls

    def measure_clock_ns(self) -> float:
        """Measure the shortest time between two readings of the clock."""
        readings = [self._clock() for _ in range(200)]
        return float(min(after - before for before, after in itertools.pairwise(readings)))


def choose_probes(count: int, calls: int, turn: int = 1) -> dict[int, int]:
    """Choose a few of the samples, and in each one call, all by chance that nobody can know beforehand.

    In each chosen sample it is one of the last call's input set, if only every so many calls have that: a `turn` of 1
    allows any call.
    """
    chance = random.SystemRandom()
    places = range((calls - 1) % turn, calls, turn)
    return {sample: chance.choice(places) for sample in chance.sample(range(count), min(PROBES, count))}


def join_laps(laps: Sequence[Lap]) -> list[Lap]:
    """Join each two laps into one."""
    return [(one + other, took + longer) for (one, took), (other, longer) in zip(laps[::2], laps[1::2], strict=True)]


def count_samples(most: int, target_ns: int, sample_ns: float) -> int:
    """Return the number of samples: `most`, or fewer where a sample is one call much longer than `target_ns`."""
    longest_ns = max(MAX_SAMPLING_NS, most * target_ns)
    return min(most, max(FEWEST_SAMPLES, int(longest_ns / sample_ns)))


def bound_ratios(ratios: Sequence[float]) -> tuple[float, float]:
    """Return an interval of the median ratio between two of them, with an error of 2.5 per cent at each end.

    It is unbounded with fewer than six ratios. The interval of the sign test: Hahn and Meeker, Statistical
    Intervals, 5.2.
    """
    count, outside, tail = len(ratios), 0, 0.5 ** len(ratios)
    while tail <= BOUND_ERROR and outside < count:
        outside += 1
        tail += math.comb(count, outside) * 0.5**count
    ordered = sorted(ratios)
    return (ordered[outside - 1], ordered[-outside]) if outside else (-math.inf, math.inf)


def has_settled(trace: Sequence[float], window: int = 10, tolerance: float = 0.03) -> bool:
    """Return whether the last calls are no longer faster than those before them, by their medians."""
    if len(trace) < 2 * window:
        return False
    window = max(window, len(trace) // 4)
    before, last = trace[-2 * window : -window], trace[-window:]
    return statistics.median(last) >= (1 - tolerance) * statistics.median(before)
