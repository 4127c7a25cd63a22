"""Cached results are detected by inputs that no call has had yet."""

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from schemas.event import MAX_UNSEEN_RATIO, Ceiling
from workers import session
from workers.arrays import Array
from workers.frameworks import numpy
from workers.measurement import memoization
from workers.measurement.stopwatch import ENOUGH_RATIOS, MOST_RATIOS, Stopwatch, Watch, carry_out
from workers.problem.problem import Problem
from workers.results import ResultsWriter, read_results
from workers.tasks import measure
from workers.workloads.early_exit import reference as early_exit

if TYPE_CHECKING:
    from tests.workers.conftest import Ask, Reported, Work

WORK_NS, RECALL_NS = 20_000, 1_000


class Machine:
    """A framework whose calls take the time `lasts`, by whether their inputs were among the latest ones."""

    def __init__(self, problem: Problem, lasts: Callable[[bool, int], int], most: int = 1000) -> None:
        self.problem, self.lasts, self.most = problem, lasts, most
        self.now_ns, self.calls, self.seen = 0, 0, dict[bytes, None]()
        self.alive = [self.arrays(inputs) for inputs in problem.input_sets]
        self.watch = Stopwatch(self.step, self.alive, lambda _: None, lambda: self.now_ns, lambda: self.now_ns)

    def arrays(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(map(np.copy, inputs))

    def step(self, *inputs: object) -> tuple[Any, ...]:
        self.calls += 1
        key = np.asarray(inputs[0]).tobytes()
        self.now_ns += self.lasts(key in self.seen, self.calls)
        self.seen.pop(key, None)
        self.seen[key] = None  # the latest comes last
        if len(self.seen) > self.most:
            del self.seen[next(iter(self.seen))]
        return ()

    def slowdown(
        self, call_ns: float = WORK_NS, alone: Watch = lambda: lambda *_: 0, *, sampled: bool = True
    ) -> float | None:
        for inputs in self.alive:
            self.watch.time_call(inputs)
        measure = memoization.measure_slowdown if sampled else memoization.measure_in_single_calls
        return carry_out(measure(self, self.problem, self.watch, call_ns, alone))  # type: ignore[arg-type]


class ManySets(Problem):
    """A problem of which as many sets of inputs are timed as a judge usually draws."""

    timed_sets = 32


def honest(_: bool, __: int) -> int:
    return WORK_NS


def keeping(had_before: bool, _: int) -> int:
    return RECALL_NS if had_before else WORK_NS


@pytest.fixture
def problem(ask: "Ask") -> Callable[..., Problem]:
    return lambda workload="mlp", **changes: ManySets(ask("numpy", "eager", workload, **changes).cell, 1)


def test_calls_that_do_their_work_take_as_long_on_new_inputs(problem: Callable[..., Problem]) -> None:
    machine = Machine(problem(), honest)
    assert machine.slowdown(sampled=False) == 1
    assert machine.calls == 4 + 2 * memoization.MOST * (4 + 2)


def test_results_that_are_kept_cost_their_work_on_new_inputs(problem: Callable[..., Problem]) -> None:
    assert Machine(problem(), keeping).slowdown(RECALL_NS) == pytest.approx(WORK_NS / RECALL_NS)


def test_where_inputs_decide_the_work_new_numbers_are_one_rounding_off_and_decide_the_same(
    ask: "Ask", problem: Callable[..., Problem]
) -> None:
    made = problem("early_exit")
    way = partial(early_exit.path, ask("numpy", "eager", "early_exit").cell.parameters, made.weights)
    for new, timed in zip(made.draw_unseen(6), itertools.cycle(made.input_sets), strict=False):
        assert way(*new) == way(*timed)
        assert not all(map(np.array_equal, new, timed))
        assert all(np.allclose(one, other, rtol=3e-7, atol=0) for one, other in zip(new, timed, strict=True))
    assert Machine(made, keeping).slowdown(RECALL_NS) == pytest.approx(WORK_NS / RECALL_NS)


@pytest.mark.parametrize("most", [4, 5, 7, 100])
def test_whoever_keeps_only_the_last_results_is_found_out_as_well(problem: Callable[..., Problem], most: int) -> None:
    found = Machine(problem(), keeping, most).slowdown(RECALL_NS)
    assert found is not None
    assert found > MAX_UNSEEN_RATIO


def test_elsewhere_the_numbers_are_new_as_well_and_the_same_in_every_job(problem: Callable[..., Problem]) -> None:
    made, again = problem(), problem()
    drawn = [inputs[0] for inputs in (*made.input_sets, *made.draw_unseen(5))]
    assert not any(np.array_equal(one, other) for one, other in itertools.combinations(drawn, 2))
    assert all(np.array_equal(one, other[0]) for one, other in zip(drawn[4:], again.draw_unseen(5), strict=True))
    assert made.hash_data() == again.hash_data()


@pytest.mark.parametrize("first_is_slower", [0.5, 2.0])
def test_which_of_two_calls_comes_first_accuses_nobody(problem: Callable[..., Problem], first_is_slower: float) -> None:
    machine = Machine(problem(), lambda _, call: round(WORK_NS * (first_is_slower if call % 2 else 1)))
    assert machine.slowdown() == pytest.approx(1)


def test_a_disturbance_of_half_of_all_calls_accuses_nobody(problem: Callable[..., Problem]) -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        found = Machine(problem(), lambda *_: int(WORK_NS * rng.choice([1, 4]))).slowdown()
        assert found is None or found <= MAX_UNSEEN_RATIO


def test_calls_that_lost_time_to_others_neither_accuse_nor_acquit(problem: Callable[..., Problem]) -> None:
    def lose_half() -> Callable[[int, int], int]:
        return lambda took_ns, _: took_ns // 2

    machine = Machine(problem(), keeping)
    assert machine.slowdown(RECALL_NS, alone=lose_half) is None
    machine = Machine(problem(), keeping)
    assert machine.slowdown(RECALL_NS, alone=lose_half, sampled=False) is None
    assert machine.calls == 4 + 2 * MOST_RATIOS * (4 + 2)


def test_a_new_call_as_fast_as_the_floor_acquits_however_disturbed(problem: Callable[..., Problem]) -> None:
    machine = Machine(problem(), lambda _, call: WORK_NS * (2 if call % 5 else 1))
    assert machine.slowdown(WORK_NS, alone=lambda: lambda took_ns, _: took_ns, sampled=False) == 1
    assert machine.calls == 4 + 2 * memoization.MOST * (4 + 2)


def test_long_calls_that_are_always_disturbed_are_soon_acquitted(problem: Callable[..., Problem]) -> None:
    machine = Machine(problem(), lambda *_: 1_300_000_000)
    assert machine.slowdown(1e9, alone=lambda: lambda took_ns, _: took_ns) == pytest.approx(1.3)
    assert machine.calls == 4 + 2 * memoization.FEWEST * (4 + 2)


def test_a_few_lost_calls_hide_no_cached_results(problem: Callable[..., Problem]) -> None:
    lost = itertools.cycle([0, 0, 0, 0, 0, WORK_NS])
    found = Machine(problem(), keeping).slowdown(RECALL_NS, alone=lambda: lambda *_: next(lost))
    assert found == pytest.approx(WORK_NS / RECALL_NS)


def test_an_accusation_needs_the_agreement_of_many_pairs(problem: Callable[..., Problem]) -> None:
    machine = Machine(problem(), lambda had_before, _: 1_000_000_000 if had_before else 20_000_000_000)
    assert machine.slowdown(call_ns=1e9) == pytest.approx(20)
    assert machine.calls == 4 + 2 * 2 * ENOUGH_RATIOS * (4 + 2)


def test_long_calls_are_few(problem: Callable[..., Problem]) -> None:
    machine = Machine(problem(), honest)
    machine.slowdown(call_ns=1e9)
    assert machine.calls == 4 + 2 * memoization.FEWEST * (4 + 2)


def test_what_does_not_depend_on_weights_may_not_be_kept_in_training_either(problem: Callable[..., Problem]) -> None:
    assert Machine(problem(task="train-sgd"), keeping).slowdown(RECALL_NS) == pytest.approx(WORK_NS / RECALL_NS)


class Wary:
    """Calls whose results are kept, but that do their work for a while after inputs that are new."""

    def __init__(self, patience: int) -> None:
        self.patience, self.left = patience, 0

    def __call__(self, had_before: bool, _: int) -> int:
        self.left = self.left - 1 if had_before else self.patience
        return RECALL_NS if self.left < 0 else WORK_NS


@pytest.mark.parametrize("patience", [4, 6, 30, 50])
def test_whoever_works_for_a_while_after_new_inputs_is_found_out_by_whole_samples_of_them(
    problem: Callable[..., Problem], patience: int
) -> None:
    found = Machine(problem(), Wary(patience)).slowdown(RECALL_NS)
    assert found is not None
    assert found > MAX_UNSEEN_RATIO


def test_single_new_calls_would_acquit_whoever_works_for_a_while_after_each(problem: Callable[..., Problem]) -> None:
    assert Machine(problem(), Wary(30)).slowdown(RECALL_NS, sampled=False) == pytest.approx(1)


def test_the_first_call_on_an_array_may_cost_a_framework_some_work(problem: Callable[..., Problem]) -> None:
    machine, met = Machine(problem(), honest), dict[int, object]()

    def step(*inputs: object) -> tuple[Any, ...]:
        machine.now_ns += WORK_NS if id(inputs[0]) in met else 2 * WORK_NS
        met[id(inputs[0])] = inputs[0]  # kept, so that its number is no other's
        return ()

    machine.watch = Stopwatch(step, machine.alive, lambda _: None, lambda: machine.now_ns, lambda: machine.now_ns)
    measure: Any = memoization.measure_in_samples
    work = measure(machine, machine.problem, machine.watch, WORK_NS, lambda: lambda *_: 0)
    assert carry_out(work) == pytest.approx(1)


def test_a_core_that_predicts_the_branches_of_a_few_inputs_accuses_nobody(problem: Callable[..., Problem]) -> None:
    class Predicting(Machine):
        """Each call on values that were among the last eight takes half the time."""

        def step(self, *inputs: object) -> tuple[Any, ...]:
            self.most = 8
            return super().step(*inputs)

    machine = Predicting(problem(), lambda recent, _: WORK_NS // 2 if recent else WORK_NS)
    measure: Any = memoization.measure_in_samples
    work = measure(machine, machine.problem, machine.watch, WORK_NS / 2, lambda: lambda *_: 0)
    assert 1 <= carry_out(work) < 1.1


def test_samples_of_new_inputs_are_small_and_short(problem: Callable[..., Problem]) -> None:
    small, large = problem(), problem(batch=1_000)
    assert memoization.count_new_calls(small, 10_000) * small.input_sets[0][0].nbytes <= memoization.MAX_SAMPLE_BYTES
    assert memoization.count_new_calls(small, 500_000) == 20
    assert memoization.count_new_calls(small, 1_000_000) == 0  # each of ten long calls is judged alone
    assert memoization.count_new_calls(large, 10_000) == 0
    assert memoization.count_new_calls(problem("early_exit"), 10_000) == 0


def test_a_slower_machine_during_one_sample_of_new_inputs_accuses_nobody(problem: Callable[..., Problem]) -> None:
    rng = np.random.default_rng(4)
    slow = itertools.chain.from_iterable(itertools.repeat(rng.choice([1, 3]), 700) for _ in itertools.count())
    found = Machine(problem(), lambda *_: int(WORK_NS * next(slow))).slowdown()
    assert found is None or found <= MAX_UNSEEN_RATIO


@pytest.mark.measures
def test_a_real_worker_that_keeps_small_results_is_found_out_and_an_honest_one_is_not(
    ask: "Ask", reported: "Reported"
) -> None:
    kept, computed = (reported(ask("synthetic", mode, "mlp")).unseen for mode in ("remembered", "spin"))
    assert kept is not None
    assert computed is not None
    assert kept > MAX_UNSEEN_RATIO >= computed


@pytest.mark.long
def test_a_job_that_is_not_thorough_tries_no_new_inputs_and_measures_no_rates(ask: "Ask", work: "Work") -> None:
    spec = ask("numpy", "eager", "mlp")
    quick, thorough = (work(spec.model_copy(update={"thorough": each})).report for each in (False, True))
    assert (quick.unseen, quick.ceiling) == (None, Ceiling(flops_per_s=0, bytes_per_s=0))
    assert min(thorough.ceiling.flops_per_s, thorough.ceiling.bytes_per_s) > 0
    # Which calls within samples are verified, and which inputs the last one has, is left to chance.
    checked, as_thoroughly = (
        {(each.tensor, each.inputs.partition(", ")[2]) for each in report.verification.checks}
        for report in (quick, thorough)
    )
    assert checked == as_thoroughly != set()


def test_a_step_that_is_wrong_on_a_way_that_only_timed_calls_took_is_found_out(
    ask: "Ask", problem: Callable[..., Problem], tmp_path: Path
) -> None:
    made = problem("early_exit", task="forward")
    framework = numpy.Framework(ask("numpy", "eager", "early_exit", task="forward").cell)
    sets = [framework.arrays(inputs) for inputs in made.input_sets]
    right: Any = framework.step((early_exit, made.weights), sets[0], made.infer_axes()).prepare()

    def astray(*inputs: Array) -> tuple[Any, ...]:
        outputs: tuple[Any, ...] = right(*inputs)
        return tuple(2 * value for value in outputs) if np.array_equal(inputs[0], sets[2][0]) else outputs

    def verify(step: Callable[..., tuple[Any, ...]]) -> list[str]:
        watch, results = Stopwatch(step, sets[:1], framework.synchronise), ResultsWriter(tmp_path / "results.npy")
        watch.take_sample(1)
        measure.save_timed_calls(session.Session(framework, made, None, sets, "cpu", results), watch, step)
        read = [(each, read_results(tmp_path / "results.npy", each)) for each in results.saved]
        return [made.check_case(each.case, found, each.when).reason for each, found in read]

    assert verify(right) == ["", "", ""]
    first, second, third = verify(astray)
    assert (first, third) == ("", "")
    assert "input set 2, after all samples" in second
