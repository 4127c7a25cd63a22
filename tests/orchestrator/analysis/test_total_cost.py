"""Total costs of known curves, and the numbers of calls at which they are computed."""

import math

import pytest

from orchestrator.analysis.breakeven import BreakEven
from orchestrator.analysis.compare import Comparison, Verdict
from orchestrator.analysis.costs.cost_curve import CostCurve
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.analysis.total_cost import choose_call_counts, compute_total_costs


def a_curve(first_ns: float, call_ns: float) -> CostCurve:
    return CostCurve(before_model_ns=10_000, seen=((1, first_ns),), floor_ns=call_ns, typical_ns=2 * call_ns)


def paid_after(calls: float) -> BreakEven:
    one, paid = Interval(0.9, 0.8, 0.95), Interval(calls, 1, math.inf)
    steady = Comparison(
        baseline="torch:eager",
        cell="torch:trace",
        blocks=8,
        ratio=one,
        typical_ratio=one,
        p=0.01,
        significant=True,
        verdict=Verdict.FASTER,
    )
    return BreakEven(mode="torch:trace", other="torch:eager", calls=paid, with_import=Interval(1, 1, 1), steady=steady)


def test_a_total_is_the_first_result_and_then_every_call_at_its_floor() -> None:
    (first, later) = compute_total_costs({1: a_curve(500, 10)}, "model", (1, 101))
    assert (first.calls, first.spent_ns.estimate) == (1, 500)
    assert (later.calls, later.spent_ns.estimate) == (101, 1500)


def test_with_import_it_is_as_much_more_as_came_before_the_model() -> None:
    (total,) = compute_total_costs({1: a_curve(500, 10)}, "import", (101,))
    assert total.spent_ns.estimate == 11_500


def test_its_interval_is_over_processes_and_there_is_none_of_too_few() -> None:
    many = {block: a_curve(500 + block, 10) for block in range(1, 9)}
    (total,) = compute_total_costs(many, "model", (1,))
    assert (total.spent_ns.low, total.spent_ns.estimate, total.spent_ns.high) == (501, 504.5, 508)
    (alone,) = compute_total_costs({1: a_curve(500, 10)}, "model", (1,))
    assert math.isinf(alone.spent_ns.high)


def test_numbers_of_calls_reach_a_million_where_nothing_pays() -> None:
    assert choose_call_counts([])[:5] == (1, 2, 5, 10, 20)
    assert choose_call_counts([paid_after(math.inf), paid_after(math.nan)])[-1] == 10**6


@pytest.mark.parametrize(("calls", "last"), [(3e5, 10**7), (3e6, 10**8), (1e14, 10**12)])
def test_numbers_of_calls_reach_beyond_the_last_break_even_and_not_without_end(calls: float, last: int) -> None:
    assert choose_call_counts([paid_after(calls)])[-1] == last
