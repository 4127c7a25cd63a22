"""Thinned traces, which keep their total time, their calls, and their first calls one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.report.page.charts.warmup import MOST_POINTS, TracePoint, thin_trace

LAPS = st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 10**9)), max_size=300)


def test_a_short_trace_is_kept_as_it_is() -> None:
    assert thin_trace([(1, 900), (1, 500), (2, 800)]) == (TracePoint(1, 900), TracePoint(2, 500), TracePoint(4, 400))


def test_later_laps_are_joined_to_the_mean_of_their_calls() -> None:
    points = thin_trace([(1, 900), (1, 100), (3, 900)], most=2)
    assert points == (TracePoint(1, 900), TracePoint(5, 250))


@given(laps=LAPS, most=st.integers(2, 60))
def test_no_time_and_no_call_is_lost_and_there_are_no_more_points_than_asked(
    laps: list[tuple[int, int]], most: int
) -> None:
    points = thin_trace(laps, most)
    ends = [0, *(point.calls for point in points)]
    spent = sum(point.each_ns * (point.calls - before) for point, before in zip(points, ends, strict=False))
    assert len(points) <= most
    assert ends[-1] == sum(calls for calls, _ in laps)
    assert spent == pytest.approx(sum(took for _, took in laps))


@pytest.mark.parametrize("length", [MOST_POINTS, 303, 100_000])
def test_the_first_calls_of_a_long_trace_stand_alone(length: int) -> None:
    assert [point.calls for point in thin_trace([(1, 10)] * length)[:3]] == [1, 2, 3]
