"""The ratio of two cells, with room for what disturbances can have cost."""

from collections.abc import Sequence
from functools import partial
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.compare import estimate_paired_ratio
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.analysis.undisturbed import Floors, RatioEstimate, bound_ratio, list_logs

LOGS = st.lists(st.floats(-1, 1), min_size=12, max_size=12)
LOSSES = st.lists(st.floats(0, 0.5), min_size=12, max_size=12)


def floors(logs: list[float], losses: list[float] | None = None) -> Floors:
    lost = losses or [0.0] * len(logs)
    measured = dict(enumerate(logs))
    return Floors(measured, {block: log - lost[block] for block, log in measured.items()}, measured)


def bound(baseline: Floors, cell: Floors) -> tuple[RatioEstimate, RatioEstimate]:
    return bound_ratio(baseline, cell, partial(estimate_paired_ratio, alpha=0.04))


def test_processes_that_lost_nothing_have_one_ratio() -> None:
    measured, bounded = bound(floors([0.0] * 12), floors([0.1] * 12))
    assert measured is bounded


def test_the_lower_end_takes_the_cell_at_its_least_and_the_upper_end_the_baseline() -> None:
    baseline, cell = floors([0.0] * 12, [0.02] * 12), floors([0.1] * 12, [0.03] * 12)
    measured, bounded = bound(baseline, cell)
    assert (measured.interval.low, measured.interval.high) == (0.1, 0.1)
    assert bounded.interval.estimate == measured.interval.estimate
    assert bounded.interval.low == pytest.approx(0.1 - 0.03)
    assert bounded.interval.high == pytest.approx(0.1 + 0.02)


def test_the_cell_that_lost_nothing_is_taken_at_the_floor_of_fewer_samples() -> None:
    baseline = Floors(dict.fromkeys(range(12), 0.0), dict.fromkeys(range(12), 0.0), dict.fromkeys(range(12), 0.04))
    cell = Floors(dict.fromkeys(range(12), 0.1), dict.fromkeys(range(12), 0.1), dict.fromkeys(range(12), 0.15))
    _, bounded = bound(baseline, cell)
    assert bounded.interval.estimate == 0.1
    assert bounded.interval.low == pytest.approx(0.1 - 0.04)
    assert bounded.interval.high == pytest.approx(0.15)


def test_the_p_is_that_of_the_slower_at_its_least_against_the_faster_as_measured() -> None:
    noise = [0.01 * (-1) ** block for block in range(12)]
    cell = floors([0.02 + each for each in noise], [0.02] * 12)
    measured, bounded = bound(floors([0.0] * 12), cell)
    assert measured.p < 0.01
    assert bounded.p == estimate_paired_ratio([0.0] * 12, noise, alpha=0.04).p


def test_a_difference_that_is_reversed_is_no_evidence_of_the_reverse() -> None:
    measured, bounded = bound(floors([0.0] * 12), floors([0.1 + 0.001 * step for step in range(12)], [0.5] * 12))
    assert measured.p < 0.001
    assert bounded.p == 1


@given(LOGS, LOGS, LOSSES, LOSSES)
def test_room_for_disturbances_widens_the_interval_and_never_strengthens_the_evidence(
    first: list[float], second: list[float], lost: list[float], lost_too: list[float]
) -> None:
    measured, bounded = bound(floors(first, lost), floors(second, lost_too))
    assert bounded.interval.low <= measured.interval.low
    assert bounded.interval.high >= measured.interval.high
    assert bounded.p >= measured.p


@given(LOGS, LOGS, LOSSES, LOSSES)
def test_either_order_has_the_same_bounds(
    first: list[float], second: list[float], lost: list[float], lost_too: list[float]
) -> None:
    one, other = floors(first, lost), floors(second, lost_too)
    (_, forwards), (_, backwards) = bound(one, other), bound(other, one)
    assert forwards.interval.low == pytest.approx(-backwards.interval.high)
    assert forwards.interval.high == pytest.approx(-backwards.interval.low)
    assert forwards.p == pytest.approx(backwards.p) or forwards.interval.estimate == 0


def test_an_estimate_that_is_surer_without_disturbances_makes_no_interval_shorter() -> None:
    """Check an estimate whose interval has the spread of its values: processes that lose more may spread less."""

    def estimate(baseline: Sequence[float], cell: Sequence[float]) -> RatioEstimate:
        differences = [after - before for before, after in zip(baseline, cell, strict=True)]
        centre, spread = fmean(differences), max(differences) - min(differences)
        return RatioEstimate(Interval(centre, centre - spread, centre + spread), 0.01)

    cell = floors([0.1, 0.2], [0.0, 0.1])
    measured, bounded = bound_ratio(floors([0.0, 0.0]), cell, estimate)
    assert measured.interval.low == pytest.approx(0.05)
    assert bounded.interval == measured.interval


def test_values_are_in_the_order_of_the_blocks() -> None:
    assert list_logs({3: 0.3, 1: 0.1, 2: 0.2}) == [0.1, 0.2, 0.3]
