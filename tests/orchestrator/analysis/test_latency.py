"""Percentiles of single calls: of each process, then over processes, and only where all made enough calls."""

import math
from collections.abc import Callable, Mapping, Sequence

import pytest

from orchestrator.analysis.derivation.percentiles import find_percentiles
from orchestrator.analysis.latency import summarise_percentiles
from orchestrator.analysis.statistics.intervals import Interval
from schemas.event import Report

MakeReport = Callable[..., Report]


@pytest.fixture
def report_calls(make_report: MakeReport) -> Callable[[int, int], Report]:
    """Return a function that makes the report of a process whose calls took 1, 2, 3, ... times a unit."""
    return lambda count, unit: make_report(latency_ns=tuple(unit * number for number in range(1, count + 1)))


def summarise_reports(reports: Sequence[Report]) -> Mapping[str, Interval]:
    return summarise_percentiles([*map(find_percentiles, reports)])


Called = Callable[[int, int], Report]


def test_a_percentile_is_the_median_of_those_of_the_processes_with_its_interval(report_calls: Called) -> None:
    found = summarise_reports([report_calls(1000, unit) for unit in range(1, 10)])
    assert [*found] == ["p50", "p90", "p99"]
    assert found["p50"].estimate == pytest.approx(5 * 500.5)
    assert found["p99"].estimate == pytest.approx(5 * 990, rel=0.01)
    assert found["p90"].low == pytest.approx(2 * 900, rel=0.01)
    assert found["p90"].high == pytest.approx(8 * 900, rel=0.01)


def test_the_interval_is_as_wide_as_the_processes_differ(report_calls: Called) -> None:
    # Nine thousand pooled calls would give a narrower one.
    found = summarise_reports([report_calls(1000, unit) for unit in range(100, 109)])["p50"]
    assert found.low == pytest.approx(101 * 500.5)
    assert found.high == pytest.approx(107 * 500.5)


@pytest.mark.parametrize(
    ("calls", "names"),
    [(0, []), (10, ["p50"]), (63, ["p50"]), (64, ["p50", "p90"]), (661, ["p50", "p90"]), (662, ["p50", "p90", "p99"])],
)
def test_a_tail_needs_enough_calls_in_each_process(report_calls: Called, calls: int, names: list[str]) -> None:
    assert [*summarise_reports([report_calls(1000, 1), report_calls(calls, 1)])] == names


def test_with_few_processes_there_is_no_interval(report_calls: Called) -> None:
    found = summarise_reports([report_calls(1000, 1)] * 5)["p99"]
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert found.estimate == pytest.approx(990, rel=0.01)


def test_without_single_calls_there_is_none(make_report: MakeReport) -> None:
    assert summarise_reports([]) == {}
    assert summarise_reports([make_report()]) == {}
