"""The expected minimum of some of a process's samples."""

import math
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.statistics.order_statistics import expect_minimum

ASCENDING = st.lists(st.floats(-100, 100), min_size=1, max_size=8).map(sorted)


@given(ASCENDING, st.data())
def test_it_is_the_mean_of_the_minima_of_all_choices(ordered: list[float], data: st.DataObject) -> None:
    drawn = data.draw(st.integers(1, len(ordered)))
    minima = [min(chosen) for chosen in combinations(ordered, drawn)]
    assert expect_minimum(ordered, drawn) == pytest.approx(math.fsum(minima) / len(minima), abs=1e-9)


@given(ASCENDING)
def test_of_all_values_it_is_their_minimum_exactly_and_of_one_their_mean(ordered: list[float]) -> None:
    assert expect_minimum(ordered, len(ordered)) == ordered[0]
    assert expect_minimum(ordered, 1) == pytest.approx(math.fsum(ordered) / len(ordered), abs=1e-9)


@given(ASCENDING)
def test_it_falls_with_the_number_drawn(ordered: list[float]) -> None:
    found = [expect_minimum(ordered, drawn) for drawn in range(1, len(ordered) + 1)]
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(found))


def test_of_very_many_values_it_is_still_a_number() -> None:
    ordered = [float(value) for value in range(5000)]
    # The minimum of k of 0 .. m-1 has the mean (m + 1) / (k + 1) - 1.
    assert expect_minimum(ordered, 10) == pytest.approx(5001 / 11 - 1)
    assert expect_minimum(ordered, 2500) == pytest.approx(5001 / 2501 - 1)


@pytest.mark.parametrize("drawn", [0, -1, 4])
def test_a_number_that_cannot_be_drawn_is_refused(drawn: int) -> None:
    with pytest.raises(ValueError, match=f"{drawn} of 3 values cannot be drawn"):
        expect_minimum([1.0, 2.0, 3.0], drawn)
