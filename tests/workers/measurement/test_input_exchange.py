"""Between bursts of samples other sets of inputs take the places of the timed ones."""

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from workers.measurement.input_exchange import MAX_SHARE, InputExchange
from workers.measurement.noise import Observer
from workers.measurement.stopwatch import Stopwatch, carry_out
from workers.problem.problem import INPUT_SETS, Problem

if TYPE_CHECKING:
    from tests.workers.conftest import Ask

BURSTS = 8


class Desk:
    """Timed sets of a problem that has so many, and the exchange of them; conversions take `converting_ns`."""

    def __init__(self, problem: Problem, timed_sets: int, converting_ns: int = 1) -> None:
        self.problem, self.now_ns, self.converting_ns = problem, 0, converting_ns
        self.timed_sets, self.is_uneven = timed_sets, problem.is_uneven
        self.seen = list[tuple[int, ...]]()
        self.watch = Stopwatch(self.step, [self.arrays(inputs) for inputs in problem.input_sets], lambda _: None)
        self.exchange = InputExchange(self, self, self.watch, lambda: self.now_ns)  # type: ignore[arg-type]

    def arrays(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        self.now_ns += self.converting_ns
        return tuple(map(np.copy, inputs))

    def read_timed_set(self, number: int) -> tuple[Any, ...]:
        return self.problem.read_timed_set(number)

    def step(self, *inputs: object) -> tuple[Any, ...]:
        self.now_ns += 100_000
        return inputs

    def run_bursts(self, number: int) -> Iterator[tuple[int, ...]]:
        """Yield the numbers of the timed sets in each burst, which lasts a millisecond."""
        for _ in range(number):
            self.exchange()
            self.now_ns += 1_000_000
            yield tuple(self.watch.numbers)


@pytest.fixture
def make_desk(ask: "Ask") -> Callable[..., Desk]:
    def make(timed_sets: int = 16, workload: str = "mlp", **changes: int) -> Desk:
        return Desk(Problem(ask("numpy", "eager", workload).cell, 1), timed_sets, **changes)

    return make


def test_every_set_is_timed_once_in_a_round_in_an_order_that_nobody_knows(make_desk: Callable[..., Desk]) -> None:
    rounds = [[*make_desk(16).run_bursts(4)] for _ in range(20)]
    for bursts in rounds:
        assert sorted(number for numbers in bursts for number in numbers) == [*range(16)]
    assert len({tuple(bursts) for bursts in rounds}) > 1
    again = [*make_desk(16).run_bursts(8)]
    assert sorted(number for numbers in again[4:] for number in numbers) == [*range(16)]


def test_the_sets_of_a_group_stay_together_so_that_each_burst_is_the_work_of_one_group(
    make_desk: Callable[..., Desk],
) -> None:
    for numbers in make_desk(16).run_bursts(BURSTS):
        assert {number // INPUT_SETS for number in numbers} == {numbers[0] // INPUT_SETS}


def test_what_is_timed_has_the_values_of_its_number_and_other_memory_than_before(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(4)
    before = [id(inputs[0]) for inputs in desk.watch.input_sets], [*desk.watch.input_sets]
    for _ in desk.run_bursts(BURSTS):
        for inputs, number in zip(desk.watch.input_sets, desk.watch.numbers, strict=True):
            assert np.array_equal(inputs[0], desk.problem.input_sets[number][0])
    assert not {id(inputs[0]) for inputs in desk.watch.input_sets} & {*before[0]}


def test_where_inputs_decide_the_work_each_set_keeps_its_place(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(4, "early_exit")
    first = id(desk.watch.input_sets[0][0]), desk.watch.input_sets[0]
    assert {*desk.run_bursts(BURSTS)} == {tuple(range(INPUT_SETS))}
    assert id(desk.watch.input_sets[0][0]) != first[0]


def test_slow_exchanges_take_a_small_share_of_the_time(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(16, converting_ns=500_000)  # two milliseconds for all, beside bursts of one
    bursts = [*desk.run_bursts(400)]
    changes = sum(one != other for one, other in itertools.pairwise(bursts))
    spent_ns = (changes + 1) * 4 * 500_000
    assert 0.5 * MAX_SHARE < spent_ns / desk.now_ns < 1.5 * MAX_SHARE


def test_results_are_those_of_the_set_that_their_number_names(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(32)
    observer = Observer(lambda: 1, desk.exchange)
    probes = {sample: sample % 7 for sample in range(40)}
    carry_out(desk.watch.take_samples(7, 40, observer, 1, probes))
    kept = [*desk.watch.take_probed(), desk.watch.take_last()]
    assert len(kept) == 41
    assert len({number for number, _ in kept}) > INPUT_SETS
    for number, outputs in kept:
        assert np.array_equal(outputs[0], desk.problem.read_timed_set(number)[0])


def test_what_is_done_between_bursts_is_charged_to_none() -> None:
    done, counts = list[str](), list[int]()
    observer = Observer(lambda: done.append("canary") or 1, lambda: done.append("exchange"))  # type: ignore[func-returns-value]
    carry_out(Stopwatch(lambda: (), [()], lambda _: None).take_samples(1, 4, observer, 2))
    counts += [len(observer.collect_noise(()).run_delay_ns)]
    assert done == ["exchange", "canary", "exchange", "canary", "exchange"]
    assert counts == [2]
