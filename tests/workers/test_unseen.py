"""Whoever keeps results is told from whoever computes them, by inputs that no call has had yet."""

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from schemas.event import KEPT
from workers import unseen
from workers.problem import Problem
from workers.stopwatch import Stopwatch, carry_out

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Reported

WORK_NS, RECALL_NS = 20_000, 1_000


class Machine:
    """A framework whose calls take what `lasts` says of inputs, by whether they were had before."""

    def __init__(self, problem: Problem, lasts: Callable[[bool, int], int]) -> None:
        self.problem, self.lasts = problem, lasts
        self.now_ns, self.calls, self.seen = 0, 0, set[int]()
        self.alive = [self.arrays(inputs) for inputs in problem.input_sets]
        self.watch = Stopwatch(self.step, self.alive, lambda _: None, lambda: self.now_ns)

    def arrays(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(map(np.copy, inputs))

    def step(self, *inputs: object) -> tuple[Any, ...]:
        self.calls += 1
        self.now_ns += self.lasts(id(inputs[0]) in self.seen, self.calls)
        self.seen.add(id(inputs[0]))
        return ()

    def slowdown(self, call_ns: float = WORK_NS) -> float | None:
        for inputs in self.alive:
            self.watch.call(inputs)
        return carry_out(unseen.slowdown(self, self.problem, self.watch, call_ns))  # type: ignore[arg-type]


def honest(_: bool, __: int) -> int:
    return WORK_NS


def keeping(had_before: bool, _: int) -> int:
    return RECALL_NS if had_before else WORK_NS


@pytest.fixture
def problem(ask: "Ask") -> Callable[..., Problem]:
    return lambda workload="mlp", **changes: Problem(ask("numpy", "eager", workload, **changes).cell, 1)


def test_calls_that_do_their_work_take_as_long_on_new_inputs(problem: Callable[..., Problem]) -> None:
    machine = Machine(problem(), honest)
    assert machine.slowdown() == 1
    assert machine.calls == 4 + 2 * 2 * unseen.MOST


def test_results_that_are_kept_cost_their_work_on_new_inputs(problem: Callable[..., Problem]) -> None:
    assert Machine(problem(), keeping).slowdown() == pytest.approx(WORK_NS / RECALL_NS)


def test_where_inputs_decide_the_work_new_arrays_of_the_same_numbers_are_new(problem: Callable[..., Problem]) -> None:
    made = problem("early_exit")
    pairs = zip(made.unseen(6), itertools.cycle(made.input_sets), strict=False)
    for new, timed in pairs:
        assert all(np.array_equal(one, other) and one is not other for one, other in zip(new, timed, strict=True))
    assert Machine(made, keeping).slowdown() == pytest.approx(WORK_NS / RECALL_NS)


def test_elsewhere_the_numbers_are_new_as_well_and_the_same_in_every_job(problem: Callable[..., Problem]) -> None:
    made, again = problem(), problem()
    drawn = [inputs[0] for inputs in (*made.input_sets, *made.unseen(5))]
    assert not any(np.array_equal(one, other) for one, other in itertools.combinations(drawn, 2))
    assert all(np.array_equal(one, other[0]) for one, other in zip(drawn[4:], again.unseen(5), strict=True))
    assert made.sha256() == again.sha256()


@pytest.mark.parametrize("first_is_slower", [0.5, 2.0])
def test_which_of_two_calls_comes_first_accuses_nobody(problem: Callable[..., Problem], first_is_slower: float) -> None:
    machine = Machine(problem(), lambda _, call: round(WORK_NS * (first_is_slower if call % 2 else 1)))
    assert machine.slowdown() == pytest.approx(1)


def test_a_disturbance_of_half_of_all_calls_accuses_nobody(problem: Callable[..., Problem]) -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        slowdown = Machine(problem(), lambda *_: int(WORK_NS * rng.choice([1, 4]))).slowdown()
        assert slowdown is not None
        assert slowdown <= KEPT


def test_long_calls_are_few(problem: Callable[..., Problem]) -> None:
    machine = Machine(problem(), honest)
    machine.slowdown(call_ns=1e9)
    assert machine.calls == 4 + 2 * 2 * unseen.FEWEST


def test_where_weights_move_nothing_is_asked(problem: Callable[..., Problem]) -> None:
    machine = Machine(problem(task="train-sgd"), keeping)
    assert machine.slowdown() is None
    assert machine.calls == 4


def test_a_real_worker_that_keeps_small_results_is_found_out_and_an_honest_one_is_not(
    ask: "Ask", reported: "Reported"
) -> None:
    kept, computed = (reported(ask("synthetic", mode, "mlp")).unseen for mode in ("remembered", "spin"))
    assert kept is not None
    assert computed is not None
    assert kept > KEPT >= computed
