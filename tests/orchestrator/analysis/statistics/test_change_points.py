"""Steps of a series: found where they are, at the stated rate of false alarms, whatever the law of the values."""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.statistics.change_points import (
    LARGEST_EXACT,
    LEAST_SIDE,
    Scan,
    count_values_needed,
    find_candidate,
    find_change_points,
    rank_doubled,
    sum_ranks,
)
from orchestrator.analysis.statistics.intervals import clopper_pearson
from orchestrator.analysis.statistics.rank_sum import rank_sum_p
from tests.selection import mark_long

LEVEL = 0.05
EXPERIMENTS = 400
MANY = 4_000
LAWS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, size: rng.normal(size=size),
    "t with 3 degrees": lambda rng, size: rng.standard_t(3, size=size),
    "skewed": lambda rng, size: rng.exponential(size=size),
    "few distinct values": lambda rng, size: rng.integers(0, 4, size=size).astype(float),
}


def find_indices(values: Sequence[float], level: float = LEVEL) -> list[int]:
    return [point.index for point in find_change_points(values, level)]


def a_series(rng: np.random.Generator, size: int, *steps: tuple[int, float]) -> np.ndarray:
    """Return normal values with a standard deviation of one, and these steps at these indices."""
    values = rng.normal(size=size)
    for index, height in steps:
        values[index:] += height
    return values


# Single series


UNEVEN = [3, 8, 1, 9, 4, 7, 2, 6, 5, 0]


def test_a_clean_step_is_found_at_its_first_value() -> None:
    assert find_indices([*UNEVEN, *(100 + value for value in UNEVEN)]) == [10]


def test_a_step_down_is_found_as_well() -> None:
    assert find_indices([*(100 + value for value in UNEVEN), *UNEVEN]) == [10]


def test_a_steady_drift_looks_like_steps_which_is_a_known_limit() -> None:
    assert find_indices([*range(30)])


def test_a_stretch_between_equal_levels_has_two_ends() -> None:
    rng = np.random.default_rng(1)
    assert find_indices(a_series(rng, 40, (15, 8), (25, -8)).tolist()) == [15, 25]


def test_two_steps_in_one_direction_are_told_apart() -> None:
    rng = np.random.default_rng(1)
    assert find_indices(a_series(rng, 45, (15, 8), (30, 8)).tolist()) == [15, 30]


def test_one_odd_value_or_two_are_no_step() -> None:
    rng = np.random.default_rng(1)
    quiet = a_series(rng, 30)
    for odd in ([10], [29], [10, 11], [28, 29]):
        values = quiet.copy()
        values[odd] += 50
        assert find_indices(values.tolist()) == []


def test_equal_values_have_no_step() -> None:
    assert find_indices([1.0] * 40) == []
    assert find_candidate([1.0] * 40).p == 1


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 1.0, 1.0, 9.0, 9.0]])
def test_too_few_values_have_no_step(values: list[float]) -> None:
    assert find_indices(values) == []
    assert find_candidate(values).p == 1


def test_the_same_series_gives_the_same_answer() -> None:
    values = a_series(np.random.default_rng(5), 30, (12, 2)).tolist()
    assert find_change_points(values, LEVEL) == find_change_points(values, LEVEL)


@given(st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=25))
def test_scale_and_origin_of_the_values_do_not_matter(values: list[float]) -> None:
    exact = [round(value) for value in values]
    assert find_candidate(exact) == find_candidate([3 * value + 7 for value in exact])


@given(st.lists(st.integers(0, 9), max_size=30))
def test_each_side_of_a_step_has_the_least_number_of_values(values: list[int]) -> None:
    edges = [0, *find_indices(values, 1.0), len(values)]
    assert all(last - first >= LEAST_SIDE for first, last in itertools.pairwise(edges)) or len(edges) == 2


# Scores


@pytest.mark.parametrize("values", [[5, 1, 4, 2, 8, 6, 9], [1, 1, 2, 2, 2, 3, 3], [9, 8, 7, 6, 5, 4, 3]])
def test_the_score_of_a_step_is_that_of_the_exact_rank_sum_test(values: list[float]) -> None:
    ranks = rank_doubled(np.asarray(values, dtype=np.float64))
    scan = Scan(tuple(sorted(ranks.tolist())))
    for index, scores in scan.score_steps(sum_ranks(ranks[np.newaxis])):
        assert math.exp(-scores[0]) == pytest.approx(rank_sum_p(values[:index], values[index:]))


def test_the_p_of_a_clean_step_in_eight_values_is_the_share_of_orders_as_clean() -> None:
    # Two of the 70 ways to choose four of eight are as clean. The share of the level for steps is 0.8.
    assert find_candidate(range(8)).p == pytest.approx(2 / 70 / 0.8, rel=0.1)


# The number of values that a step needs


@pytest.mark.parametrize(("cells", "needed"), [(1, 8), (5, 12), (10, 12), (50, 14), (300, 18)])
def test_the_number_of_values_that_is_needed_grows_with_the_number_of_series(cells: int, needed: int) -> None:
    found = count_values_needed(LEVEL / cells)
    assert found == needed
    half = [0.0] * (needed // 2)
    clean = [
        *(value + index / 100 for index, value in enumerate(half)),
        *(9 + index / 100 for index in range(len(half))),
    ]
    assert find_indices(clean, LEVEL / cells) == [needed // 2]
    assert find_indices(clean[1:-1], LEVEL / cells) == []


def test_no_number_of_values_reaches_a_level_below_that_of_the_random_orders() -> None:
    assert count_values_needed(LEVEL / 1_000) is None


# Rates


def count_alarms(law: str, size: int, experiments: int, seed: int = 3) -> int:
    rng = np.random.default_rng(seed)
    return sum(bool(find_change_points(LAWS[law](rng, size).tolist(), LEVEL)) for _ in range(experiments))


# Each set of ties has a law of its own, which takes time: only the long tests try them.
@pytest.mark.parametrize("law", [law for law in LAWS if law != "few distinct values"])
@pytest.mark.parametrize("size", [10, 30])
def test_without_a_step_an_alarm_is_at_most_as_likely_as_stated(law: str, size: int) -> None:
    assert clopper_pearson(count_alarms(law, size, EXPERIMENTS), EXPERIMENTS).low <= LEVEL


@pytest.mark.long
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("size", [8, 12, 20, 40, LARGEST_EXACT + 1, 120])
def test_over_many_series_too(law: str, size: int) -> None:
    experiments = MANY if law != "few distinct values" else 300 if size <= 40 else 60
    assert count_alarms(law, size, experiments, seed=4) / experiments <= LEVEL + 3 * math.sqrt(
        LEVEL * (1 - LEVEL) / experiments
    )


@pytest.mark.parametrize("index", mark_long([5, 10, 15, 20, 25], quick=[15]))
def test_beside_a_clear_step_another_alarm_is_rare(index: int) -> None:
    rng = np.random.default_rng(6)
    found = [find_indices(a_series(rng, 30, (index, 6)).tolist()) for _ in range(EXPERIMENTS)]
    assert clopper_pearson(sum(len(each) > 1 for each in found), EXPERIMENTS).low <= LEVEL


@pytest.mark.parametrize(
    ("height", "size", "index", "power"),
    mark_long(
        [
            (3, 20, 10, 0.9),
            (2, 40, 20, 0.75),
            (3, 40, 36, 0.8),
            (5, 12, 6, 0.95),
            (5, 20, 16, 0.85),
            (3, 100, 50, 0.97),
        ],
        quick=[(3, 20, 10, 0.9), (5, 12, 6, 0.95)],
    ),
)
def test_a_step_of_some_standard_deviations_is_found(height: float, size: int, index: int, power: float) -> None:
    """At the level of one of five series."""
    rng, experiments = np.random.default_rng(7), 200
    found = [find_indices(a_series(rng, size, (index, height)).tolist(), LEVEL / 5) for _ in range(experiments)]
    near = sum(any(abs(each - index) <= 1 for each in indices) for indices in found)
    assert near / experiments >= power


def test_a_stretch_of_some_standard_deviations_is_found_with_both_ends() -> None:
    rng, experiments = np.random.default_rng(8), 100
    found = [find_indices(a_series(rng, 40, (15, 3), (25, -3)).tolist(), LEVEL / 5) for _ in range(experiments)]
    assert sum(len(indices) == 2 for indices in found) / experiments >= 0.9


@pytest.mark.long
def test_values_that_depend_on_those_before_raise_more_alarms_which_is_a_known_limit() -> None:
    rng, alarms, experiments = np.random.default_rng(9), 0, 300
    for _ in range(experiments):
        noise, values = rng.normal(size=40), [0.0]
        for each in noise[1:]:
            values.append(0.6 * values[-1] + float(each))
        alarms += bool(find_change_points(values, LEVEL))
    assert clopper_pearson(alarms, experiments).low > LEVEL
