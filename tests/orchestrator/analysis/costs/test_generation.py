"""The calls of loops over processes: each position has its time, and a growing state its price."""

import math

import pytest

from orchestrator.analysis.costs.generation import list_positions, summarise_generation
from orchestrator.analysis.derivation.generation import LoopCalls, derive_generation
from schemas.event import Generation


def test_the_fastest_time_of_each_position_counts_and_the_memory_of_the_whole_loop() -> None:
    measured = Generation(calls_ns=((50, 12, 15), (40, 14, 13), (90, 90, 90)), anonymous=(1000, 1400, 1300, 1900))
    assert derive_generation(measured) == LoopCalls((40, 12, 13), 900)


def test_memory_that_nobody_counted_is_unknown() -> None:
    assert derive_generation(Generation(calls_ns=((5, 6),))) == LoopCalls((5, 6), None)
    found = summarise_generation([LoopCalls((5, 6), None)] * 8)
    assert found is not None
    assert math.isnan(found.kept.estimate)


def test_a_call_that_is_no_loop_has_nothing() -> None:
    assert derive_generation(None) is None
    assert summarise_generation([None, None]) is None


def test_the_medians_over_processes_have_intervals_by_position() -> None:
    loops = [LoopCalls((100 + n, 10 + n, 11, 12, 20 + 2 * n), 1000 * n) for n in range(9)]
    found = summarise_generation([*loops, None])
    assert found is not None
    assert found.calls == 5
    assert {place: interval.estimate for place, interval in found.call_ns.items()} == {1: 104, 2: 14, 5: 28}
    assert found.call_ns[2].low == 11
    assert found.growth.estimate == 2
    assert (found.growth.low, found.growth.high) == (2, 2)
    assert found.kept.estimate == 4000


@pytest.mark.parametrize(
    ("calls", "places"), [(2, [1, 2]), (3, [1, 2, 3]), (4, [1, 2, 4]), (8, [1, 2, 4, 8]), (64, [1, 2, 32, 64])]
)
def test_the_first_the_second_the_middle_and_the_last_position_are_shown(calls: int, places: list[int]) -> None:
    assert list_positions(calls) == places
