"""The timing loop on a clock that moves only with the operation: every figure is exact."""

import gc
import inspect
import itertools
import math
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.event import SINGLE_CALLS
from workers.measurement.stopwatch import (
    MAX_LAPS,
    PROBES,
    Stopwatch,
    Timed,
    bound_ratios,
    carry_out,
    choose_probes,
    count_samples,
)

INPUT_SETS = [("first",), ("second",), ("third",), ("fourth",)]

# First calls of a traced TorchScript step, as measured.
TORCHSCRIPT_NS = (46_600_000, 90_800_000, 1_230_000, 143_000, 92_000, 79_000, 71_000, 66_000)


class Clock:
    """Time that passes only on command."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


class Operation:
    """A step that takes these times in turn, then always the last, and remembers its inputs."""

    def __init__(self, clock: Clock, *durations_ns: int) -> None:
        self._clock = clock
        self._durations_ns = itertools.chain(durations_ns, itertools.repeat(durations_ns[-1]))
        self.seen: list[tuple[Any, ...]] = []

    def __call__(self, *inputs: object) -> tuple[Any, ...]:
        self._clock.now_ns += next(self._durations_ns)
        self.seen.append(inputs)
        return (f"output {len(self.seen)}",)


class Device:
    """A device that computes asynchronously: waiting for it takes this long."""

    def __init__(self, clock: Clock, wait_ns: int) -> None:
        self._clock, self._wait_ns = clock, wait_ns
        self.waited_for: list[tuple[Any, ...]] = []

    def synchronise(self, outputs: tuple[Any, ...]) -> None:
        self._clock.now_ns += self._wait_ns
        self.waited_for.append(outputs)


class Bench:
    """A stopwatch with everything that it uses."""

    def __init__(self, *durations_ns: int, wait_ns: int = 0) -> None:
        self.clock = Clock()
        self.operation = Operation(self.clock, *durations_ns)
        self.device = Device(self.clock, wait_ns)
        # Its CPU time is its wall time: nothing but the operation runs.
        self.watch = Stopwatch(self.operation, INPUT_SETS, self.device.synchronise, self.clock, self.clock)


# The time of a call on each set of inputs, where the inputs decide it.
WORK_NS = {"first": 12_000_000, "second": 4_000_000, "third": 1_000_000, "fourth": 3_000_000}


def watch_of_uneven_work(*, known: bool, share: int = 1) -> Stopwatch:
    """Return a stopwatch over calls whose inputs decide their time, or a share of it; `known` tells it so."""
    clock = Clock()

    def operation(name: str) -> tuple[Any, ...]:
        clock.now_ns += WORK_NS[name] // share
        return ()

    return Stopwatch(operation, INPUT_SETS, lambda _: None, clock, clock, uneven=known)


def take_times(watch: Stopwatch, calls: int, count: int) -> tuple[int, ...]:
    """Return the times of samples, without their CPU times."""
    times, _ = carry_out(watch.take_samples(calls, count))
    return times


@pytest.fixture
def collecting() -> Iterator[None]:
    """Enable garbage collection before and after a test that may change it."""
    gc.enable()
    yield
    gc.enable()


def test_one_call_is_timed_until_its_result_is_there() -> None:
    bench = Bench(700, wait_ns=5_000)
    assert bench.watch.time_call(INPUT_SETS[2]) == (5_700, ("output 1",))
    assert bench.operation.seen == [("third",)]
    assert bench.device.waited_for == [("output 1",)]


def test_a_call_that_the_clock_cannot_see_takes_a_nanosecond() -> None:
    assert Bench(0).watch.time_call(INPUT_SETS[0])[0] == 1
    assert Bench(0).watch.take_sample(3) == 1


@pytest.mark.parametrize("calls", [1, 3, 4, 7, 1000])
def test_a_sample_is_exactly_so_many_calls(calls: int) -> None:
    bench = Bench(700)
    assert bench.watch.take_sample(calls) == 700 * calls
    assert len(bench.operation.seen) == calls


def test_a_sample_waits_once_for_the_last_result_and_counts_the_waiting() -> None:
    bench = Bench(700, wait_ns=5_000)
    assert bench.watch.take_sample(10) == 12_000
    assert bench.device.waited_for == [("output 10",)]


def test_a_sample_of_many_calls_uses_every_set_of_inputs_in_turn() -> None:
    bench = Bench(700)
    bench.watch.take_sample(8)
    assert sorted(bench.operation.seen[:4]) == sorted(INPUT_SETS)
    assert bench.operation.seen[4:] == bench.operation.seen[:4]


def test_samples_of_one_call_use_every_set_of_inputs_in_turn() -> None:
    bench = Bench(700)
    carry_out(bench.watch.take_samples(1, 8))
    assert set(bench.operation.seen) == set(INPUT_SETS)


def test_samples_are_so_many_each_of_so_many_calls(collecting: None) -> None:
    bench = Bench(700, wait_ns=50)
    assert take_times(bench.watch, 10, 3) == (7_050, 7_050, 7_050)
    assert len(bench.operation.seen) == 3 * (10 + 1)  # one untimed call after each reading of the counters
    assert len(bench.device.waited_for) == 3 * 2


def test_a_slow_call_makes_its_own_sample_slow_and_no_other(collecting: None) -> None:
    bench = Bench(10, 10, 10, 910, 10)
    assert take_times(bench.watch, 1, 4) == (10, 10, 10, 910)


@pytest.mark.parametrize("duration_ns", [10, 137, 1_000, 33_333, 449_999, 600_000, 899_999])
def test_calibration_reaches_the_target_and_at_most_one_call_more(duration_ns: int) -> None:
    target_ns = 1_000_000
    calls = carry_out(Bench(duration_ns).watch.calibrate_calls(target_ns))
    assert 0.9 * target_ns <= calls * duration_ns <= target_ns + duration_ns


@pytest.mark.parametrize("duration_ns", [1_000_000, 1_000_001, 50_000_000, 1_000_000_000])
def test_a_call_that_is_as_long_as_a_sample_is_a_sample(duration_ns: int) -> None:
    assert carry_out(Bench(duration_ns).watch.calibrate_calls(1_000_000)) == 1


def test_where_inputs_decide_what_a_call_takes_each_sample_has_all_of_them_equally_often(collecting: None) -> None:
    watch = watch_of_uneven_work(known=True)
    assert carry_out(watch.calibrate_calls(5_000_000)) == len(INPUT_SETS)
    assert carry_out(watch.measure_linearity(len(INPUT_SETS))) == 2
    assert take_times(watch, len(INPUT_SETS), 3) == (20_000_000,) * 3
    laps = carry_out(watch.warm_up(0, 3_000_000_000))[SINGLE_CALLS:]
    assert {(calls, took) for calls, took in laps} == {(len(INPUT_SETS), 20_000_000)}


def test_where_that_is_not_known_samples_differ() -> None:
    watch = watch_of_uneven_work(known=False)
    assert carry_out(watch.calibrate_calls(5_000_000)) % len(INPUT_SETS) > 0
    assert len({*take_times(watch, 1, 4)}) == 4


@pytest.mark.parametrize(("share", "calls"), [(1, 4), (4, 4), (20, 20), (1000, 1000)])
def test_calibration_goes_in_whole_turns_where_inputs_decide(share: int, calls: int) -> None:
    assert carry_out(watch_of_uneven_work(known=True, share=share).calibrate_calls(5_000_000)) == calls


@pytest.mark.parametrize("wait_ns", [0, 3_000, 5_000, 50_000, 500_000])
def test_waiting_for_the_last_result_is_half_a_percent_of_a_sample_at_most(wait_ns: int) -> None:
    calls = carry_out(Bench(1_000, wait_ns=wait_ns).watch.calibrate_calls(1_000_000))
    assert wait_ns <= 0.0056 * (1_000 * calls + wait_ns)  # a sample may be a tenth shorter than its target
    assert 900 <= calls <= max(1_000, 201 * wait_ns / 1_000)


def test_a_call_longer_than_a_sample_waits_once_whatever_that_takes() -> None:
    assert carry_out(Bench(5_000_000, wait_ns=500_000).watch.calibrate_calls(1_000_000, 5_500_000)) == 1


@pytest.mark.parametrize("duration_ns", [10, 137, 33_333, 600_000, 5_000_000])
def test_calibration_from_a_known_time_makes_few_calls_and_comes_to_the_same(duration_ns: int) -> None:
    known, unknown = Bench(duration_ns), Bench(duration_ns)
    calls = carry_out(known.watch.calibrate_calls(1_000_000, duration_ns))
    assert abs(calls - carry_out(unknown.watch.calibrate_calls(1_000_000))) <= 0.1 * calls
    assert len(known.operation.seen) <= 3 * calls + 6


@pytest.mark.parametrize("known_ns", [1.0, 1e9])
def test_a_wrong_first_estimate_does_not_make_samples_shorter(known_ns: float) -> None:
    calls = carry_out(Bench(10_000).watch.calibrate_calls(1_000_000, known_ns))
    assert calls * 10_000 >= 900_000


def test_one_disturbed_sample_does_not_end_calibration_early() -> None:
    assert carry_out(Bench(5_000_000, 1_000).watch.calibrate_calls(1_000_000)) >= 900


@pytest.mark.parametrize("duration_ns", [10, 1_000, 1_000_000_000])
def test_calibration_comes_to_the_same_number_every_time(duration_ns: int) -> None:
    once, again = (carry_out(Bench(duration_ns).watch.calibrate_calls(300_000)) for _ in range(2))
    assert once == again


def test_a_steady_operation_is_warmed_up_for_little_more_than_the_minimum() -> None:
    laps = carry_out(Bench(100_000).watch.warm_up(50_000_000, 3_000_000_000))
    assert {took / calls for calls, took in laps} == {100_000}
    assert 50_000_000 <= sum(took for _, took in laps) <= 55_000_000


def test_the_first_calls_are_told_one_by_one_and_every_call_is_in_a_lap() -> None:
    bench = Bench(*range(10_000, 10_200), 10_000)
    laps = carry_out(bench.watch.warm_up(2_000_000, 100_000_000))
    assert laps[:SINGLE_CALLS] == tuple((1, took) for took in range(10_000, 10_000 + SINGLE_CALLS))
    assert sum(calls for calls, _ in laps) == len(bench.operation.seen)
    assert sum(took for _, took in laps) == bench.clock.now_ns


def test_an_operation_that_keeps_getting_faster_is_warmed_up_to_the_maximum_and_no_further() -> None:
    durations_ns = [int(1e9 * 0.95**call) for call in range(300)]
    laps = carry_out(Bench(*durations_ns).watch.warm_up(1_000, 5_000_000_000))
    took = [took for _, took in laps]
    assert took == durations_ns[: len(took)]
    assert 5_000_000_000 <= sum(took[SINGLE_CALLS:]) < 5_000_000_000 + took[-1]


def test_an_operation_that_gets_faster_for_many_seconds_is_warmed_up_until_it_does_no_more() -> None:
    durations_ns = [int(1e9 * 0.95**call) for call in range(45)]
    laps = carry_out(Bench(*durations_ns).watch.warm_up(250_000_000, 60_000_000_000))
    assert sum(took for _, took in laps) > sum(durations_ns) > 15_000_000_000
    assert {took for _, took in laps[-10:]} == {durations_ns[-1]}


def test_a_long_warm_up_leaves_a_trace_of_bounded_length_in_which_no_call_is_lost() -> None:
    bench = Bench(*[30_000_000] * SINGLE_CALLS, *[1_000_000] * 8_000, 500_000)
    laps = carry_out(bench.watch.warm_up(10_000_000_000, 10_000_000_000))
    assert MAX_LAPS // 2 < len(laps) - SINGLE_CALLS <= MAX_LAPS
    assert laps[:SINGLE_CALLS] == ((1, 30_000_000),) * SINGLE_CALLS
    assert sum(calls for calls, _ in laps) == len(bench.operation.seen)
    assert sum(took for _, took in laps) == bench.clock.now_ns
    assert {took / calls for calls, took in laps[SINGLE_CALLS:]} == {1_000_000, 500_000}


def test_of_calls_longer_than_the_maximum_only_the_first_few_are_made() -> None:
    assert len(carry_out(Bench(10**10).watch.warm_up(1_000, 3_000_000_000))) <= SINGLE_CALLS + 1


def test_a_maximum_below_the_minimum_is_the_end_of_warm_up() -> None:
    bench = Bench(100_000)
    carry_out(bench.watch.warm_up(1_000_000_000, 10_000_000))
    assert bench.clock.now_ns <= 12_000_000


def test_the_slow_first_calls_of_a_jit_are_over_when_warm_up_ends() -> None:
    laps = carry_out(Bench(*TORCHSCRIPT_NS).watch.warm_up(0, 3_000_000_000))
    assert [took for _, took in laps[: len(TORCHSCRIPT_NS)]] == list(TORCHSCRIPT_NS)
    assert {took / calls for calls, took in laps[-10:]} == {66_000}


def test_an_operation_that_speeds_up_late_is_warmed_up_until_it_has() -> None:
    laps = carry_out(Bench(*[2_000_000] * 30, *[1_500_000] * 4, 1_000_000).watch.warm_up(60_000_000, 3_000_000_000))
    assert {took for _, took in laps[-5:]} == {1_000_000}


@pytest.mark.parametrize(
    ("burst", "read"), [(1, [0, 11, 22, 33, 44]), (2, [0, 21, 42]), (3, [0, 31, 42]), (9, [0, 41])]
)
def test_counters_are_read_before_the_first_burst_and_after_each_and_never_inside(
    collecting: None, burst: int, read: list[int]
) -> None:
    bench = Bench(700)
    seen: list[int] = []

    def observe() -> None:
        seen.append(len(bench.operation.seen))
        bench.clock.now_ns += 1_000_000

    times, cpu_times = carry_out(bench.watch.take_samples(10, 4, observe, burst))
    assert times == cpu_times == (7_000,) * 4
    assert seen == read


def test_the_calls_after_a_reading_of_the_counters_are_not_timed(collecting: None) -> None:
    clock, cold = Clock(), list[int]()

    def step(*_: object) -> tuple[Any, ...]:
        clock.now_ns += cold.pop() if cold else 700
        return ()

    watch = Stopwatch(step, INPUT_SETS, lambda _: None, clock, clock)
    times, _ = carry_out(watch.take_samples(100, 5, lambda: cold.extend([50_000] * 10), 5))
    assert times == (70_000,) * 5


def test_the_cpu_time_of_a_sample_is_that_of_its_calls(collecting: None) -> None:
    clock, cpu_clock = Clock(), Clock()

    def step(*_: object) -> tuple[Any, ...]:
        clock.now_ns, cpu_clock.now_ns = clock.now_ns + 1_000, cpu_clock.now_ns + 400
        return ()

    def observe() -> None:
        cpu_clock.now_ns += 99_999

    watch = Stopwatch(step, INPUT_SETS, lambda _: None, clock, cpu_clock)
    assert carry_out(watch.take_samples(10, 3, observe)) == ((10_000,) * 3, (4_000,) * 3)
    watch.time_call(INPUT_SETS[0])
    assert watch.cpu_ns == 400


@pytest.mark.parametrize(
    ("sample_ns", "count"),
    [(1_000_000, 100), (4_900_000, 100), (10_000_000, 50), (40_000_000, 12), (100_000_000, 10), (10**10, 10)],
)
def test_long_calls_are_sampled_for_a_limited_time_and_at_least_ten_times(sample_ns: int, count: int) -> None:
    assert count_samples(100, 1_000_000, sample_ns) == count
    assert count_samples(5, 1_000_000, sample_ns) == 5


@pytest.mark.parametrize(("duration_ns", "count"), [(700, 1000), (10_000_000, 200), (10**10, 10)])
def test_single_calls_are_timed_one_by_one_for_a_limited_time(collecting: None, duration_ns: int, count: int) -> None:
    bench = Bench(duration_ns, wait_ns=5)
    assert carry_out(bench.watch.take_calls(1000)) == (duration_ns + 5,) * count
    assert len(bench.device.waited_for) == count
    assert set(bench.operation.seen[:4]) == set(INPUT_SETS)
    assert gc.isenabled()


def test_samples_that_were_asked_to_be_long_are_not_fewer() -> None:
    assert count_samples(200, 50_000_000, 50_000_000) == 200


def test_an_honest_operation_takes_twice_as_long_for_twice_the_calls() -> None:
    assert carry_out(Bench(700).watch.measure_linearity(50)) == 2


def test_an_operation_that_does_its_work_only_once_is_not_linear() -> None:
    assert carry_out(Bench(0, wait_ns=5_000).watch.measure_linearity(50)) == 1


def take_pairs(pairs: int, single_ns: int, double_ns: int) -> list[int]:
    """Return durations of the calls in pairs of fifty calls and a hundred."""
    return ([single_ns] * 50 + [double_ns] * 100) * pairs


class Overlapping:
    """A step whose calls overlap: after each wait, the first call takes longer by its dispatch."""

    def __init__(self, clock: Clock, call_ns: int, dispatch_ns: int) -> None:
        self._clock, self._call_ns, self._dispatch_ns = clock, call_ns, dispatch_ns
        self._is_idle = True

    def __call__(self, *_: object) -> tuple[Any, ...]:
        self._clock.now_ns += self._call_ns + (self._dispatch_ns if self._is_idle else 0)
        self._is_idle = False
        return ()

    def synchronise(self, _: tuple[Any, ...]) -> None:
        self._is_idle = True


@pytest.mark.parametrize(
    ("call_ns", "dispatch_ns", "calls", "found"),
    [
        (200_000, 120_000, 10, (20 + 0.6) / (10 + 0.6)),
        (200_000, 1_000, 5, (10 + 0.005) / (5 + 0.005)),
        (20_000, 150_000, 100, (200 + 7.5) / (100 + 7.5)),
        (0, 1_000_000, 50, 1.0),  # the work is done once a sample
    ],
)
def test_samples_are_lengthened_until_what_each_takes_by_itself_is_negligible(
    call_ns: int, dispatch_ns: int, calls: int, found: float
) -> None:
    clock = Clock()
    step = Overlapping(clock, call_ns, dispatch_ns)
    watch = Stopwatch(step, INPUT_SETS, step.synchronise, clock, clock)
    begun = {200_000: 5, 20_000: 50, 0: 50}[call_ns]
    lengthened, linearity = carry_out(watch.lengthen_samples(begun))
    assert lengthened == calls
    assert linearity == pytest.approx(found)


def test_one_slow_call_does_not_make_an_operation_look_nonlinear() -> None:
    assert carry_out(Bench(*[900_000] * 10, 700).watch.measure_linearity(50)) == 2


@pytest.mark.parametrize("slow_pairs", [3, 6, 8])
def test_pairs_that_disagree_accuse_nobody(slow_pairs: int) -> None:
    bench = Bench(*take_pairs(slow_pairs, 700, 2_800), 700)
    assert carry_out(bench.watch.measure_linearity(50)) is None


def test_an_accusation_is_the_bound_nearest_to_the_truth_of_an_honest_operation() -> None:
    slower = Bench(*take_pairs(9, 700, 1_400), *take_pairs(9, 700, 1_050))
    assert carry_out(slower.watch.measure_linearity(50)) == 3
    faster = Bench(*take_pairs(9, 700, 350), *take_pairs(9, 700, 490))
    assert carry_out(faster.watch.measure_linearity(50)) == pytest.approx(1.4)


def test_disturbed_samples_accuse_nobody_and_hide_nobody() -> None:
    disturbed = itertools.cycle([0, 0, 0, 50_000])  # the double sample of every second pair

    def lose(took_ns: int, cpu_ns: int) -> int:
        assert took_ns == cpu_ns
        return next(disturbed)

    assert carry_out(Bench(700).watch.measure_linearity(50, lambda: lose)) == 2
    assert carry_out(Bench(0, wait_ns=5_000).watch.measure_linearity(50, lambda: lose)) == 1
    assert carry_out(Bench(0, wait_ns=5_000).watch.measure_linearity(50, lambda: lambda *_: 50_000)) is None


@pytest.mark.parametrize(
    ("count", "outside"), [(0, 0), (5, 0), (6, 1), (8, 1), (9, 2), (11, 2), (12, 3), (15, 4), (18, 5)]
)
def test_an_interval_leaves_out_as_many_ratios_as_chance_allows(count: int, outside: int) -> None:
    low, high = bound_ratios([float(number) for number in range(count, 0, -1)])
    assert (low, high) == ((outside, count + 1 - outside) if outside else (-math.inf, math.inf))


def test_what_the_loop_costs_is_measured_without_the_operation() -> None:
    bench = Bench(700)
    bench.watch.measure_overhead_ns()
    assert bench.operation.seen == []


def test_the_clock_is_as_fine_as_its_closest_readings() -> None:
    ticks = itertools.accumulate(itertools.cycle([80, 60, 75]))
    assert Stopwatch(lambda: (), [()], lambda outputs: None, clock=lambda: next(ticks)).measure_clock_ns() == 60


def test_no_garbage_is_collected_while_samples_are_taken(collecting: None) -> None:
    found: list[bool] = []

    def step() -> tuple[object, ...]:
        found.append(gc.isenabled())
        return ()

    watch = Stopwatch(step, [()], lambda outputs: None)
    carry_out(watch.take_samples(5, 2))
    assert found == [False] * 12
    assert gc.isenabled()


def test_garbage_is_collected_again_after_a_step_has_raised(collecting: None) -> None:
    def step() -> tuple[Any, ...]:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        carry_out(Stopwatch(step, [()], lambda outputs: None).take_samples(5, 2))
    assert gc.isenabled()


def test_a_timed_call_has_the_same_few_frames_under_it_however_deep_it_was_asked_for() -> None:
    depths: list[int] = []

    def step() -> tuple[Any, ...]:
        depths.append(len(inspect.stack(0)))
        return ()

    def deeper(work: Timed[object], frames: int) -> Timed[object]:
        return (yield from deeper(work, frames - 1)) if frames else (yield from work)

    watch = Stopwatch(step, [()], lambda outputs: None)
    carry_out(watch.take_samples(1, 1))
    carry_out(deeper(watch.take_samples(1, 1), 50))
    carry_out(deeper(watch.calibrate_calls(1), 50))
    watch.take_sample(1)
    assert set(depths[:-1]) == {depths[-1] + 1}


def test_what_a_timed_region_raises_is_raised_where_it_was_asked_for() -> None:
    def step() -> tuple[Any, ...]:
        raise StopIteration

    def work() -> Timed[object]:
        try:
            yield step
        except StopIteration:
            return (yield lambda: "gone on")
        return ""

    assert carry_out(work()) == "gone on"


def test_the_outputs_of_a_probed_call_are_kept_with_its_set_of_inputs(collecting: None) -> None:
    bench = Bench(700)
    carry_out(bench.watch.take_samples(10, 3, probes={0: 3, 2: 9}))
    # The fourth call of the first sample, and the last of the third; one call before each sample is not timed.
    assert bench.watch.take_probed() == [((1 + 3) % 4, ("output 5",)), ((3 + 29) % 4, ("output 33",))]
    assert bench.watch.take_probed() == []
    assert bench.watch.take_last() == ((3 + 29) % 4, ("output 33",))


def test_a_probe_changes_neither_the_calls_nor_the_time_of_a_sample(collecting: None) -> None:
    plain, probed = Bench(700, wait_ns=5_000), Bench(700, wait_ns=5_000)
    assert carry_out(plain.watch.take_samples(10, 4)) == carry_out(probed.watch.take_samples(10, 4, probes={1: 0}))
    assert plain.operation.seen == probed.operation.seen
    # It is not waited for either: a result that exists only when somebody waits is wrong.
    assert probed.device.waited_for == plain.device.waited_for
    assert ("output 14",) not in probed.device.waited_for


@pytest.mark.parametrize("turn", [1, 4])
@pytest.mark.parametrize(("count", "calls"), [(100, 40), (100, 1), (3, 7), (1, 1)])
def test_probes_are_calls_of_some_samples_by_chance(count: int, calls: int, turn: int) -> None:
    drawn = [choose_probes(count, calls, turn) for _ in range(50)]
    assert {len(probes) for probes in drawn} == {min(PROBES, count)}
    places = {place for probes in drawn for place in probes.values()}
    assert places <= set(range(calls))
    # With a turn of four, they have the set of inputs of the last call.
    assert {(calls - 1 - place) % turn for place in places} == {0}
    if calls == 40:
        assert len(places) > 5
        assert len({tuple(sorted(probes)) for probes in drawn}) > 40
