"""Cost curves: the measured time of a process during warm-up, then a straight line."""

import dataclasses
import math
from collections.abc import Callable

import pytest

from orchestrator.analysis.costs.cost_curve import CostCurve, Start, TotalsOfCurves, make_cost_curve
from schemas.event import Report
from tests.orchestrator.conftest import figures_of

MakeReport = Callable[..., Report]
PHASES = {
    "import": 5000,
    "initialise": 600,
    "build": 70,
    "trace": 300,
    "compile": 200,
    "first_call": 500,
    "second_call": 9,
    "verify": 99_999,
    "warm_up": 99_999,
    "steady": 99_999,
}
WARM_UP = ((1, 490), (1, 200), (10, 1000), (10, 500))


def make_curve(report: Report, steady_from: int, least_floor_ns: int) -> CostCurve:
    """Return the curve of a process that is steady from a lap on, at a floor of 50 ns and a typical 60 ns."""
    figures = dataclasses.replace(figures_of(report), steady_from=steady_from, least_floor_ns=least_floor_ns)
    return make_cost_curve(dataclasses.replace(figures, floor_ns=50, typical_ns=60))


@pytest.fixture
def spent(make_report: MakeReport) -> CostCurve:
    """Return a curve that is steady from the fourth lap on."""
    phases = [{"name": name, "wall_ns": took, "cpu_ns": took} for name, took in PHASES.items()]
    return make_curve(make_report(phases=phases, warmup=WARM_UP), 3, least_floor_ns=40)


def test_the_first_call_takes_what_comes_before_the_first_result_and_nothing_of_the_verification(
    spent: CostCurve,
) -> None:
    assert spent.floor_total_ns(1, "model") == 1000
    assert spent.floor_total_ns(1, "import") == 1000 + 5670


@pytest.mark.parametrize(("calls", "total"), [(2, 1200), (7, 1700), (12, 2200), (13, 2250), (112, 7200)])
def test_calls_take_what_they_took_until_they_are_steady_and_then_the_floor(
    spent: CostCurve, calls: int, total: int
) -> None:
    assert spent.floor_total_ns(calls, "model") == total


def test_steady_calls_may_be_counted_at_their_typical_time(spent: CostCurve) -> None:
    assert spent.typical_total_ns(112, "model") == 2200 + 100 * 60
    assert spent.typical_total_ns(7, "model") == 1700


@pytest.mark.parametrize("start", ["model", "import"])
def test_more_calls_take_more_time(spent: CostCurve, start: Start) -> None:
    totals = [spent.floor_total_ns(calls, start) for calls in range(1, 40)]
    assert totals == sorted(set(totals))


def test_a_report_without_the_phases_of_a_first_result_has_a_total_too(make_report: MakeReport) -> None:
    assert make_curve(make_report(phases=()), 0, least_floor_ns=40).floor_total_ns(1, "import") > 0


def test_a_process_that_was_steady_at_once_has_no_warm_up(make_report: MakeReport) -> None:
    flat = make_curve(make_report(), 0, least_floor_ns=40)
    assert flat.floor_total_ns(11, "model") == 10**6 + 500


def test_without_disturbances_phases_take_at_least_their_cpu_time(make_report: MakeReport) -> None:
    phases = [{"name": name, "wall_ns": took, "cpu_ns": took // 2} for name, took in PHASES.items()]
    curve = make_curve(make_report(phases=phases, warmup=WARM_UP), 3, least_floor_ns=40)
    assert curve.floor_total_ns(112, "model") == 2200 + 100 * 50
    assert curve.least.floor_total_ns(1, "model") == 500
    assert curve.least.floor_total_ns(1, "import") == 500 + 5670 // 2
    assert curve.least.floor_total_ns(112, "model") == pytest.approx(1100 + 100 * 40, rel=1e-4)


def test_threads_that_share_the_work_of_a_phase_make_it_no_longer(make_report: MakeReport) -> None:
    phases = [{"name": name, "wall_ns": took, "cpu_ns": 2 * took} for name, took in PHASES.items()]
    curve = make_curve(make_report(phases=phases, warmup=WARM_UP), 3, least_floor_ns=50)
    assert curve.least.floor_total_ns(112, "import") == curve.floor_total_ns(112, "import")


def test_a_wait_of_the_main_thread_counts_though_other_threads_were_busy(make_report: MakeReport) -> None:
    phase = {"name": "first_call", "wall_ns": 1000, "cpu_ns": 2000, "main_cpu_ns": 500, "waiting_ns": 300, "io_ns": 100}
    curve = make_curve(make_report(phases=[phase]), 0, least_floor_ns=50)
    assert curve.floor_total_ns(1, "model") == 1000
    assert curve.least.floor_total_ns(1, "model") == 600


def test_a_curve_that_lost_nothing_is_its_own_least() -> None:
    curve = CostCurve(before_model_ns=0, seen=((1, 9.0),), floor_ns=5, typical_ns=6)
    assert curve.least == curve


@pytest.mark.parametrize("start", ["model", "import"])
@pytest.mark.parametrize("calls", [1, 2, 5, 10, 11, 12, 100, 10**6, 10**12])
def test_the_totals_of_several_curves_are_those_of_each(start: Start, calls: int) -> None:
    curves = [
        CostCurve(before_model_ns=7.0, seen=((1, 100.0), (6, 150.0), (11, 190.0)), floor_ns=8.0, typical_ns=9.0),
        CostCurve(before_model_ns=0.0, seen=((1, 3.0),), floor_ns=0.5, typical_ns=0.6),
        CostCurve(before_model_ns=1e9, seen=((1, 1e6), (3, 1e6 + 2)), floor_ns=1.5, typical_ns=1.5),
    ]
    found = TotalsOfCurves.from_curves(curves, start).total_ns(calls)
    assert found.tolist() == pytest.approx([curve.floor_total_ns(calls, start) for curve in curves], rel=1e-14)


def test_at_infinity_only_the_floors_count(spent: CostCurve) -> None:
    assert TotalsOfCurves.from_curves([spent, spent], "import").total_ns(math.inf).tolist() == [spent.floor_ns] * 2
