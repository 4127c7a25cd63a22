"""Steady-state detection on traces of a known class."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.derivation.steady_state import WINDOW, classify_trace

# Measured first calls of a traced TorchScript step.
TORCHSCRIPT_NS = (46_600_000, 90_800_000, 1_230_000, 143_000, 92_000, 79_000, 71_000, 66_000)


def trace(*levels: tuple[int, float], noise: float = 0.01, seed: int = 1) -> list[int]:
    """Return call times in stretches of (calls, ns), with a relative noise of about `noise`."""
    rng = np.random.default_rng(seed)
    level = np.concatenate([np.full(calls, ns) for calls, ns in levels])
    return [round(ns) for ns in level * np.exp(rng.normal(0, noise, level.size))]


def test_a_level_trace_is_flat_from_the_first_call() -> None:
    found = classify_trace(trace((300, 1e5)))
    assert (found.kind, found.start, len(found.segments)) == ("flat", 0, 1)
    assert found.level_ns == pytest.approx(1e5, rel=0.005)


@pytest.mark.parametrize(
    ("earlier_ns", "kind"), [(1.3e5, "warm-up"), (1.1e5, "warm-up"), (0.9e5, "slow-down"), (0.7e5, "slow-down")]
)
def test_a_step_is_found_within_two_calls_and_named_by_its_direction(earlier_ns: float, kind: str) -> None:
    found = classify_trace(trace((60, earlier_ns), (200, 1e5)))
    assert found.kind == kind
    assert abs(found.start - 60) <= 2
    assert found.level_ns == pytest.approx(1e5, rel=0.005)


def test_a_faster_spell_before_the_end_makes_it_a_slow_down_even_after_warm_up() -> None:
    assert classify_trace(trace((20, 5e5), (80, 0.8e5), (200, 1e5))).kind == "slow-down"


def test_the_torchscript_warm_up_is_excluded() -> None:
    found = classify_trace([*TORCHSCRIPT_NS, *trace((200, 66_000), noise=0.02)])
    assert found.kind == "warm-up"
    assert 4 <= found.start <= len(TORCHSCRIPT_NS)
    assert found.level_ns == pytest.approx(66_000, rel=0.01)


@pytest.mark.parametrize("slow_calls", [1, 2, 3])
def test_a_few_slow_opening_calls_are_warm_up_and_not_outliers(slow_calls: int) -> None:
    found = classify_trace(trace((slow_calls, 2e5), (100, 1e5)))
    assert (found.kind, found.start) == ("warm-up", slow_calls)


@pytest.mark.parametrize("at", [(50,), (50, 51), (10, 40, 70), (99,)])
def test_one_or_two_disturbed_calls_together_are_outliers_and_not_a_level(at: tuple[int, ...]) -> None:
    calls = trace((100, 1e5))
    for index in at:
        calls[index] *= 5
    assert classify_trace(calls).kind == "flat"


def test_a_trace_that_steps_shortly_before_its_end_has_no_steady_state() -> None:
    found = classify_trace(trace((180, 1e5), (20, 1.3e5)))
    assert (found.kind, found.start) == ("none", 200)
    assert math.isnan(found.level_ns)


def test_a_trace_that_swings_to_and_fro_has_no_steady_state() -> None:
    assert classify_trace(trace(*[(15, 1e5), (15, 1.3e5)] * 8)).kind == "none"


def test_levels_within_one_per_cent_of_the_last_are_the_same_level() -> None:
    found = classify_trace(trace((100, 1.006e5), (200, 1e5), noise=0.001))
    assert (found.kind, found.start, len(found.segments)) == ("flat", 0, 2)


def test_a_gradual_warm_up_ends_where_it_has_come_within_a_few_per_cent() -> None:
    calls = np.array(trace((300, 1e5))) * (1 + np.exp(-np.arange(300) / 10))
    found = classify_trace(calls.astype(int).tolist())
    assert found.kind == "warm-up"
    assert 20 <= found.start <= 60


@pytest.mark.parametrize("n", range(WINDOW))
def test_fewer_calls_than_a_window_tell_nothing(n: int) -> None:
    found = classify_trace([1000] * n)
    assert (found.kind, found.start, found.segments) == ("none", n, ())


@pytest.mark.parametrize("value", [0, 1, 66_000])
def test_a_clock_too_coarse_to_see_any_difference_gives_a_flat_trace(value: int) -> None:
    found = classify_trace([value] * 50)
    assert (found.kind, found.start, found.level_ns, len(found.segments)) == ("flat", 0, value, 1)


def test_calls_that_flicker_between_two_ticks_of_the_clock_are_flat() -> None:
    on_the_next = np.random.default_rng(1).random(300) < 0.2
    assert classify_trace([2050 if late else 2009 for late in on_the_next]).kind == "flat"


def test_a_step_is_seen_through_the_flicker_of_a_coarse_clock() -> None:
    ticks = np.random.default_rng(1).random(300) < 0.2
    ticked = [50_000, *(2255 if late else 2214 for late in ticks[:50]), *(2050 if late else 2009 for late in ticks)]
    found = classify_trace(ticked)
    assert (found.kind, found.start, found.level_ns) == ("warm-up", 51, 2009)


def test_exact_times_give_an_exact_answer() -> None:
    found = classify_trace([5000] * 4 + [1000] * 96)
    assert (found.kind, found.start, found.level_ns) == ("warm-up", 4, 1000)


def test_a_clock_that_ticks_in_microseconds_does_not_make_levels() -> None:
    assert classify_trace([round(ns, -3) for ns in trace((300, 66_300))]).kind == "flat"


@given(st.lists(st.integers(1, 10**10), min_size=WINDOW, max_size=60))
def test_segments_cover_the_trace_and_the_steady_part_is_whole_segments(calls: list[int]) -> None:
    found = classify_trace(calls)
    starts, stops = [s[0] for s in found.segments], [s[1] for s in found.segments]
    assert (starts, stops[-1]) == ([0, *stops[:-1]], len(calls))
    assert found.start in {*starts, len(calls)}
    assert (found.kind == "none") == (found.start == len(calls)) == math.isnan(found.level_ns)
    assert (found.kind == "flat") == (found.start == 0)


@given(st.integers(0, 1000), st.sampled_from([2, 10, 1000]))
def test_the_unit_of_time_does_not_change_the_class(seed: int, unit: int) -> None:
    calls = trace((30, 1.2e5), (60, 1e5), noise=0.03, seed=seed)
    plain, scaled = classify_trace(calls), classify_trace([unit * call for call in calls])
    assert (scaled.kind, scaled.start) == (plain.kind, plain.start)
