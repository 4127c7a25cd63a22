import math

import pytest

from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.analysis.undisturbed import RatioEstimate
from orchestrator.comparison.run_effects import (
    ASSUMED_SPREAD,
    allow_for_run_effects,
    estimate_run_effect,
    select_controls,
    widen_by_assumed_effect,
    widen_by_run_effect,
)

ALPHA = 0.05


def an_estimate(centre: float, half_width: float = 0.001, p: float = 0.0001) -> RatioEstimate:
    return RatioEstimate(Interval(centre, centre - half_width, centre + half_width), p)


def test_what_cells_moved_by_is_their_mean_and_their_spread() -> None:
    found = estimate_run_effect([0.01, 0.02, 0.03])
    assert found.cells == 3
    assert found.common == pytest.approx(0.02)
    assert found.spread == pytest.approx(0.01)


def test_an_interval_is_widened_by_students_law_about_what_the_others_did_and_about_nothing() -> None:
    """Check three others around 0.02 with a deviation of 0.01: t of two degrees is 4.3027, the error 0.01 sqrt(4/3)."""
    found = widen_by_run_effect(an_estimate(0.1, 0.003), [0.01, 0.02, 0.03], ALPHA)
    allowed = math.hypot(0.003, 4.302653 * 0.01 * math.sqrt(4 / 3))
    assert found.interval.estimate == 0.1
    assert found.interval.low == pytest.approx(0.1 - 0.02 - allowed)
    assert found.interval.high == pytest.approx(0.1 + allowed)


def test_the_p_is_the_larger_of_the_cells_own_and_that_of_moving_further_than_the_others() -> None:
    own = widen_by_run_effect(an_estimate(0.5, p=0.02), [0.001, 0.002, 0.0015, 0.0012], ALPHA)
    assert own.p == 0.02
    theirs = widen_by_run_effect(an_estimate(0.02, p=0.0001), [0.01, -0.01, 0.012, -0.008], ALPHA)
    assert 0.1 < theirs.p < 0.3


@pytest.mark.parametrize("shift", [0.0, 0.03, 0.05])
def test_moving_with_the_others_or_less_is_no_change(shift: float) -> None:
    found = widen_by_run_effect(an_estimate(shift, p=1e-9), [0.05, 0.0501, 0.0499], ALPHA)
    assert found.p == pytest.approx(1)
    assert found.interval.low <= 0 <= found.interval.high


def test_both_directions_are_alike() -> None:
    up, down = (
        widen_by_run_effect(an_estimate(sign * 0.1), [sign * 0.01, sign * 0.02, 0.0], ALPHA) for sign in (1, -1)
    )
    assert up.p == pytest.approx(down.p)
    assert up.interval.low == pytest.approx(-down.interval.high)
    assert up.interval.high == pytest.approx(-down.interval.low)


def test_others_that_moved_all_by_the_same_allow_for_nothing_more() -> None:
    assert widen_by_run_effect(an_estimate(0.1, p=0.01), [0.0, 0.0], ALPHA).p == 0.01
    assert widen_by_run_effect(an_estimate(0.0, p=0.01), [0.0, 0.0], ALPHA).p == 1


def test_a_cell_that_changed_does_not_hide_a_smaller_change_of_another() -> None:
    shifts = [0.5, 0.05, 0.001, -0.001, 0.0005, 0.0]
    alone = widen_by_run_effect(an_estimate(0.05), [0.5, *shifts[2:]], ALPHA)
    assert alone.interval.low < 0
    found = allow_for_run_effects([an_estimate(shift) for shift in shifts], set(range(6)), ALPHA)
    assert [each.interval.low > 0 for each in found] == [True, True, False, False, False, False]


def test_controls_speak_for_the_machine_if_there_are_two() -> None:
    assert select_controls(0, 5, {3, 4}, set()) == [3, 4]
    assert select_controls(3, 5, {2, 3, 4}, set()) == [2, 4]
    assert select_controls(0, 5, {4}, set()) == [1, 2, 3, 4]


def test_what_changed_speaks_no_more_unless_too_few_are_left() -> None:
    assert select_controls(0, 5, {1, 2, 3, 4}, {1, 2}) == [3, 4]
    assert select_controls(0, 5, {1, 2}, {1}) == [2, 3, 4]
    assert select_controls(0, 4, {1, 2, 3}, {1, 2}) == [1, 2, 3]


def test_with_too_few_others_the_effect_of_the_runs_is_assumed() -> None:
    """Check the normal law: 1.95996 deviations leave out a twentieth."""
    (found,) = allow_for_run_effects([an_estimate(0.3, 0.003)], {0}, ALPHA)
    allowed = math.hypot(0.003, 1.959964 * ASSUMED_SPREAD)
    assert found.interval.low == pytest.approx(0.3 - allowed)
    assert found.interval.high == pytest.approx(0.3 + allowed)
    (within,) = allow_for_run_effects([an_estimate(1.9 * ASSUMED_SPREAD, 0.001)], {0}, ALPHA)
    assert within.p > ALPHA
    assert within.interval.low < 0


def test_a_witness_that_shifted_as_well_takes_the_claim_away() -> None:
    alone = widen_by_assumed_effect(an_estimate(0.3), (), ALPHA)
    beside = widen_by_assumed_effect(an_estimate(0.3), (0.28, -0.01), ALPHA)
    assert alone.interval.low > 0.2
    assert beside.interval.low < 0
    assert beside.p > 0.1


def test_of_two_cells_the_one_that_stayed_is_a_witness_and_the_one_that_changed_is_none() -> None:
    changed, stayed = allow_for_run_effects([an_estimate(0.4), an_estimate(0.001)], {0, 1}, ALPHA)
    assert changed.interval.low > 0.3
    assert stayed.interval.low < 0 < stayed.interval.high < 0.1
    both = allow_for_run_effects([an_estimate(0.4), an_estimate(0.4)], {0, 1}, ALPHA)
    assert all(each.interval.low < 0 for each in both)
