"""Break-even of compiled modes, and the claims about it."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis import groups
from orchestrator.analysis.breakeven import (
    MOST_CALLS,
    NEVER,
    BestModes,
    BreakEven,
    Payoff,
    calls_until_break_even,
    find_best_modes,
    find_break_evens,
)
from orchestrator.analysis.compare import Verdict
from orchestrator.analysis.costs.cost_curve import CostCurve
from orchestrator.analysis.results import Group
from orchestrator.analysis.statistics.intervals import Interval
from schemas.event import Report
from schemas.job import Cell
from schemas.record import JobRecord

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]
MakeReport = Callable[..., Report]
Find = Callable[..., Group]

STEADY = (0.001, -0.002, 0.003, -0.004, 0.005, -0.006, 0.007, -0.008, 0.009, -0.010, 0.011, -0.012)
EAGER, TRACE, SCRIPT = "torch:eager", "torch:trace", "torch:script"


def line(first_ns: float, call_ns: float, *laps: tuple[int, float], before_ns: float = 0) -> CostCurve:
    """Return a curve with a first result, then laps of (calls, ns per call), and then calls of one length."""
    seen = [(1, first_ns)]
    for calls, each_ns in laps:
        seen.append((seen[-1][0] + calls, seen[-1][1] + calls * each_ns))
    return CostCurve(before_model_ns=before_ns, seen=tuple(seen), floor_ns=call_ns, typical_ns=call_ns)


def estimate(own: CostCurve, other: CostCurve) -> float:
    return calls_until_break_even(((own, other),), "model").estimate


@pytest.mark.parametrize(
    ("own", "other", "calls"),
    [
        (line(1000, 5), line(10, 10), 200),
        (line(1000, 5), line(10, 10, (50, 13)), 170),
        (line(1000, 5, (10, 105)), line(10, 10), 400),
        (line(500, 10), line(1, 20, (100, 5)), 201),
        (line(10, 5), line(11, 5), NEVER),
        (line(10, 5), line(10, 6), 2),
        (line(9, 5), line(10, 6), 1),
        (line(9, 6), line(10, 5), NEVER),
        (line(9, 5, (1, 20)), line(10, 6), 16),
        (line(1e18, 1), line(1, 2), NEVER),
    ],
)
def test_it_has_paid_from_the_call_on_from_which_its_total_stays_smaller(
    own: CostCurve, other: CostCurve, calls: float
) -> None:
    assert estimate(own, other) == calls


@given(
    st.floats(1, 1e9), st.floats(1, 1e9), st.floats(1, 1e6), st.floats(1, 1e6), st.lists(st.floats(1, 1e6), max_size=5)
)
def test_just_before_its_break_even_it_is_not_ahead_and_from_there_on_it_is(
    own_first: float, first: float, own_call: float, call: float, laps: list[float]
) -> None:
    own, other = line(own_first, own_call, *((1, lap) for lap in laps)), line(first, call)
    calls = estimate(own, other)
    if calls < NEVER:
        assert is_ahead(own, other, calls)
        assert is_ahead(own, other, 2 * calls)
        assert calls == 1 or not is_ahead(own, other, calls - 1)
    else:
        assert own_call >= call or not is_ahead(own, other, MOST_CALLS)


def is_ahead(own: CostCurve, other: CostCurve, calls: float) -> bool:
    return own.floor_total_ns(int(calls), "model") < other.floor_total_ns(int(calls), "model")


def scattered(own: CostCurve, other: CostCurve, blocks: int = 12) -> tuple[tuple[CostCurve, CostCurve], ...]:
    """Return pairs in which the first curve's calls scatter by about one per cent."""
    return tuple(
        (dataclasses.replace(own, floor_ns=own.floor_ns * math.exp(noise)), other) for noise in STEADY[:blocks]
    )


def test_the_interval_ends_where_the_ends_of_the_ratio_of_totals_pass_one() -> None:
    found = calls_until_break_even(scattered(line(10_000, 95), line(100, 100)), "model")
    assert found.low < 1 + 9900 / 5 < found.high
    assert found.low <= found.estimate <= found.high < NEVER


def test_an_advantage_that_noise_may_explain_may_never_pay() -> None:
    found = calls_until_break_even(scattered(line(10_000, 99.9), line(100, 100)), "model")
    assert 1 < found.low < found.high == NEVER


def test_too_few_processes_leave_everything_open() -> None:
    found = calls_until_break_even(scattered(line(10_000, 50), line(100, 100), blocks=5), "model")
    assert (found.low, found.high) == (1, NEVER)
    nothing = calls_until_break_even((), "model")
    assert (nothing.low, nothing.high, math.isnan(nothing.estimate)) == (1, NEVER, True)


def test_what_comes_before_the_model_counts_with_import_only() -> None:
    own, other = line(1000, 5, before_ns=2000), line(10, 10, before_ns=1000)
    assert calls_until_break_even(((own, other),), "model").estimate == 200
    assert calls_until_break_even(((own, other),), "import").estimate == 400


@pytest.fixture
def find(make_cell: MakeCell, make_record: MakeRecord, make_report: MakeReport) -> Find:
    """Return a function that makes the group of modes with given compile and call times, over twelve blocks."""

    def record(label: str, compile_ns: int, call_ns: int, block: int, outcome: str) -> JobRecord:
        took = round(call_ns * (1 + STEADY[(block * len(label)) % 12]))
        walls = {"import": 10**8, "compile": compile_ns, "first_call": took}
        phases = [{"name": name, "wall_ns": wall, "cpu_ns": wall} for name, wall in walls.items()]
        report = make_report(took, phases=phases, warmup=((1, took),) * 10)
        return make_record(make_cell(label), block, outcome=outcome, result=report)

    def make(modes: dict[str, tuple[int, int]], outcome: str = "measured", replica: Sequence[str] = ()) -> Group:
        cells = [make_cell(label) for label in modes]
        records = [
            record(label, *times, block, outcome if label == TRACE else "measured")
            for block in range(1, 13)
            for label, times in modes.items()
        ]
        twins = [make_cell(label).model_copy(update={"replica": 1}) for label in replica]
        records += [
            each.model_copy(update={"spec": each.spec.model_copy(update={"cell": twin})})
            for twin in twins
            for each in records
            if each.spec.cell == twin.model_copy(update={"replica": 0})
        ]
        (group,) = groups.group_results(records, [*cells, *twins])
        return group

    return make


def pairs(group: Group) -> list[tuple[str, str]]:
    return [(found.mode, found.other) for found in find_break_evens(group)]


def test_a_compiled_mode_is_set_against_its_sibling_and_the_fastest_other(find: Find) -> None:
    group = find({EAGER: (0, 3000), TRACE: (10**6, 2000), SCRIPT: (10**6, 1000)})
    assert pairs(group) == [(SCRIPT, EAGER), (SCRIPT, TRACE), (TRACE, EAGER), (TRACE, SCRIPT)]


def test_the_sibling_is_not_set_against_itself_twice(find: Find) -> None:
    assert pairs(find({EAGER: (0, 3000), TRACE: (10**6, 2000)})) == [(TRACE, EAGER)]


def test_only_measured_modes_are_set_against_each_other_and_a_clone_is_none(find: Find) -> None:
    wrong = find({EAGER: (0, 3000), TRACE: (10**6, 1000), SCRIPT: (10**6, 2000)}, "wrong", [EAGER])
    assert pairs(wrong) == [(SCRIPT, EAGER)]
    assert {mode for each in find_best_modes(wrong) for mode in each.modes} == {EAGER, SCRIPT}
    alone = find({TRACE: (10**6, 1000)}, replica=[TRACE])
    assert (pairs(alone), list(find_best_modes(alone))) == ([], [])


def only(group: Group) -> BreakEven:
    (found,) = find_break_evens(group)
    return found


def test_a_known_break_even_is_found_in_records(find: Find) -> None:
    found = only(find({EAGER: (0, 3000), TRACE: (10**7, 1000)}))
    assert found.payoff is Payoff.PAYS
    assert found.calls.low <= 5000 <= found.calls.high
    assert found.calls.estimate == pytest.approx(5000, rel=0.01)


def test_what_is_slower_never_pays(find: Find) -> None:
    found = only(find({EAGER: (0, 1000), TRACE: (10**7, 3000)}))
    assert found.payoff is Payoff.NEVER
    assert found.calls == found.with_import == Interval(NEVER, NEVER, NEVER)


def test_what_is_as_fast_may_never_pay_and_nothing_is_claimed(find: Find) -> None:
    found = only(find({EAGER: (0, 1000), TRACE: (10**7, 1000)}))
    assert (found.payoff, found.calls.high) == (Payoff.OPEN, NEVER)
    assert found.calls.low > 1000


@pytest.mark.parametrize("verdict", Verdict)
def test_a_claim_needs_the_claim_about_times_per_call(find: Find, verdict: Verdict) -> None:
    found = only(find({EAGER: (0, 3000), TRACE: (10**7, 1000)}))
    claimed = dataclasses.replace(found, steady=dataclasses.replace(found.steady, verdict=verdict))
    assert (claimed.payoff is Payoff.OPEN) == (claimed.steady.claimed_faster is None)


def disturb(group: Group, label: str, lost: float) -> Group:
    """Return a group in which disturbances can have cost one mode this share of its steady calls."""

    def lose(curve: CostCurve) -> CostCurve:
        least = dataclasses.replace(curve.least, floor_ns=curve.floor_ns * (1 - lost))
        return dataclasses.replace(curve, undisturbed=least)

    lost_curves = {block: lose(curve) for block, curve in group.curves[label].items()}
    return dataclasses.replace(group, curves={**group.curves, label: lost_curves})


def test_the_interval_has_room_for_what_disturbances_can_have_cost(find: Find) -> None:
    group = find({EAGER: (0, 3000), TRACE: (10**7, 1000)})
    plain, slower, faster = (
        only(each).calls for each in (group, disturb(group, EAGER, 0.1), disturb(group, TRACE, 0.1))
    )
    assert plain.estimate == slower.estimate == faster.estimate
    assert (slower.low, faster.high) == (plain.low, plain.high)
    # Without its disturbances, eager takes 2700 ns: then compiling pays after 10^7 / 1700 calls.
    assert slower.high >= 10**7 / 1700 > plain.high
    assert faster.low <= 10**7 / 2100 < plain.low


def test_a_difference_that_disturbances_explain_makes_no_mode_best(find: Find) -> None:
    group = find({EAGER: (0, 3000), TRACE: (10**6, 2900)})
    (found,) = find_best_modes(group, [10**9])
    (doubted,) = find_best_modes(disturb(group, EAGER, 0.1), [10**9])
    assert (found.modes, doubted.modes) == ((TRACE,), (TRACE, EAGER))


def test_a_start_that_waited_is_known_only_by_its_cpu_time(
    make_cell: MakeCell, make_record: MakeRecord, make_report: MakeReport
) -> None:
    waited = {EAGER: 10**6, TRACE: 10**8}

    def record(label: str, block: int, cpu_share: float) -> JobRecord:
        wall = waited[label]
        phases = [{"name": "first_call", "wall_ns": wall, "cpu_ns": round(cpu_share * wall)}]
        return make_record(make_cell(label), block, result=make_report(1000, phases=phases))

    for cpu_share, best in ((1.0, (EAGER,)), (0.5, (EAGER,)), (0.001, (EAGER, TRACE))):
        records = [record(label, block, cpu_share) for block in range(1, 13) for label in waited]
        (group,) = groups.group_results(records, [make_cell(label) for label in waited])
        (found,) = find_best_modes(group, [1])
        assert set(found.modes) == set(best)


def test_the_best_mode_changes_at_the_break_even(find: Find) -> None:
    group = find({EAGER: (0, 3000), TRACE: (10**7, 1000), SCRIPT: (10**9, 1000)})
    found = {each.calls: each.modes for each in find_best_modes(group, [1, 1000, 100_000])}
    assert found == {1: (EAGER,), 1000: (EAGER,), 100_000: (TRACE,)}


def test_modes_that_cannot_be_told_apart_are_best_together(find: Find) -> None:
    group = find({EAGER: (0, 1000), TRACE: (0, 1000), SCRIPT: (10**9, 1000)})
    (found,) = find_best_modes(group, [1000])
    assert set(found.modes) == {EAGER, TRACE}


def test_for_many_calls_the_best_are_those_that_are_fastest_when_steady(find: Find) -> None:
    group = find({EAGER: (0, 1000), TRACE: (10**7, 995), SCRIPT: (10**7, 400)})
    (found,) = find_best_modes(group, [10**12])
    claimed = group.pairs
    unbeaten = [
        label
        for label in group.curves
        if all(claimed[label, other].claimed_faster != other for other in group.curves if other != label)
    ]
    assert found == BestModes(10**12, tuple(unbeaten), tuple(unbeaten))
