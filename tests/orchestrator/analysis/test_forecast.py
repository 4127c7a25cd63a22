"""Forecasts of a sweep's length from its first blocks."""

import math

import numpy as np
import pytest

from orchestrator.analysis.compare import Scores, Verdict, compare_all_pairs
from orchestrator.analysis.forecast import (
    NOT_FORESEEN,
    Family,
    Forecast,
    combine_forecasts,
    expected_half_width,
    forecast_looks,
    forecast_verdict,
)
from orchestrator.analysis.statistics.intervals import Floats
from orchestrator.analysis.statistics.looks import LOOKS, list_looks
from orchestrator.analysis.stopping import should_stop

TARGET = 0.02
CELLS = "abcde"


def scores(floors: Floats, blocks: int) -> dict[str, Scores]:
    known = {label: dict(enumerate(floors[place, :blocks], 1)) for place, label in enumerate(CELLS)}
    return {label: Scores(found, found) for label, found in known.items()}


def actual(floors: Floats) -> int:
    """Return the look at which a sweep of these cells stops."""
    looks = list_looks(math.comb(len(CELLS), 2))
    return next(
        look for look in looks if should_stop(look, compare_all_pairs(scores(floors, look)), TARGET, baseline="a")
    )


@pytest.mark.parametrize(("noise", "least"), [(0.005, 0.95), (0.007, 0.95), (0.05, 0.9)])
def test_after_three_blocks_the_rest_is_foretold_within_a_fifth_where_noise_is_clearly_small_or_large(
    noise: float, least: float
) -> None:
    rng, right = np.random.default_rng(2), 0
    for _ in range(100):
        floors = rng.normal(0, noise, (len(CELLS), LOOKS[-1]))
        foretold, left = forecast_looks(scores(floors, 3), "a", TARGET), actual(floors) - 3
        assert foretold is not None
        right += abs(foretold.likely - 3 - left) <= 0.2 * left
    assert right >= 100 * least


@pytest.mark.long
@pytest.mark.parametrize("noise", [0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.05])
@pytest.mark.parametrize("scales", [(1, 1, 1, 1, 1), (0.3, 0.3, 0.5, 0.7, 1.4)])
@pytest.mark.parametrize("blocks", [3, 6])
def test_the_end_lies_in_the_range_that_is_foretold_in_nine_sweeps_of_ten(
    noise: float, scales: tuple[float, ...], blocks: int
) -> None:
    rng, inside = np.random.default_rng(4), 0
    for _ in range(50):
        floors = rng.normal(0, noise, (len(CELLS), LOOKS[-1])) * np.array(scales)[:, np.newaxis]
        foretold = forecast_looks(scores(floors, blocks), "a", TARGET)
        assert foretold is not None
        assert foretold.soonest <= foretold.likely <= foretold.latest
        inside += foretold.soonest <= actual(floors) <= foretold.latest
    assert inside >= 0.85 * 50


def test_the_range_closes_the_more_blocks_there_are() -> None:
    rng, widths = np.random.default_rng(3), []
    for _ in range(50):
        floors = rng.normal(0, 0.01, (len(CELLS), LOOKS[-1]))
        foretold = [forecast_looks(scores(floors, blocks), "a", TARGET) for blocks in (3, 5, 7, 11)]
        widths.append([each.latest - each.soonest for each in foretold if each is not None])
    first, second, third, last = np.mean(widths, axis=0)
    assert first > 2 * second > 2 * third > 2 * last


def test_the_last_of_several_is_waited_for() -> None:
    assert combine_forecasts([Forecast(8, 12, 32), Forecast(12, 12, 16)]) == Forecast(12, 12, 32)


def test_no_look_is_foretold_that_could_not_be_significant_or_lies_behind() -> None:
    floors = np.random.default_rng(2).normal(0, 1e-4, (len(CELLS), 40))
    assert forecast_looks(scores(floors, 3), "a", TARGET) == Forecast(9, 9, 9)
    assert forecast_looks(scores(floors, 10), "a", TARGET) == Forecast(12, 12, 12)
    assert forecast_looks(scores(floors, 14), "a", TARGET) == Forecast(16, 16, 16)


def test_fewer_pairs_may_be_significant_at_an_earlier_look() -> None:
    floors = np.random.default_rng(2).normal(0, 1e-4, (len(CELLS), 40))
    assert forecast_looks(scores(floors, 3), "a", TARGET, pairs=5) == Forecast(8, 8, 8)
    assert forecast_looks(scores(floors, 3), "a", TARGET, pairs=10) == Forecast(9, 9, 9)
    # Ranks rest on more pairs than those that are compared.
    assert forecast_looks(scores(floors, 3), "a", TARGET, pairs=5, ranked=10) == Forecast(9, 9, 9)
    assert forecast_looks(scores(floors, 3), "a", TARGET, pairs=5, ranked=120) == Forecast(12, 12, 12)


def test_from_two_blocks_or_one_cell_nothing_is_foretold() -> None:
    floors = np.zeros((len(CELLS), 40))
    assert forecast_looks(scores(floors, 2), "a", TARGET) is None
    assert forecast_looks({"a": scores(floors, 9)["a"]}, "a", TARGET) is None


def test_an_interval_narrows_with_the_root_of_the_blocks_and_faster_at_first() -> None:
    assert expected_half_width(0.1, 400) == pytest.approx(expected_half_width(0.1, 100) / 2, rel=0.02)
    assert expected_half_width(0.1, 3) > 2 * expected_half_width(0.1, 6)


ONE = Family(pairs=1, alpha=0.01, margin=0.02)
EVERY = range(1, LOOKS[-1] + 1)


@pytest.mark.parametrize("shift", [0.0, 0.004, 0.015, 0.02, 0.05])
@pytest.mark.parametrize("pairs", [1, 10, 1000])
def test_a_verdict_that_is_expected_stays_expected_with_more_blocks(shift: float, pairs: int) -> None:
    family = Family(pairs=pairs, alpha=0.04, margin=0.02)
    expected = [family.expects_verdict(shift, 0.02, blocks) for blocks in range(2, 400)]
    assert expected == sorted(expected)


def test_a_clear_difference_needs_only_the_blocks_that_any_claim_needs() -> None:
    clear = [1.0, 1.01, 0.99, 1.0]
    assert forecast_verdict(clear, ONE, EVERY) == Forecast(ONE.least_blocks, ONE.least_blocks, ONE.least_blocks)
    many = Family(pairs=10, alpha=0.01, margin=0.02)
    assert forecast_verdict(clear, many, EVERY) == Forecast(11, 11, 11)


def test_equal_modes_have_their_verdict_as_soon_as_the_interval_is_within_the_margin() -> None:
    found = forecast_verdict([0.001, -0.001, 0.001, -0.001, 0.0], ONE, EVERY)
    assert found is not None
    assert found.latest < ONE.least_blocks


def test_a_difference_that_is_lost_in_the_noise_is_not_foreseen() -> None:
    found = forecast_verdict([0.3, -0.3, 0.25, -0.25, 0.2, -0.2], ONE, EVERY)
    assert found is not None
    assert found.likely == found.latest == NOT_FORESEEN


def test_two_blocks_foretell_no_verdict() -> None:
    assert forecast_verdict([1.0, 1.0], ONE, EVERY) is None


@pytest.mark.parametrize(("shift", "noise"), [(0.05, 0.03), (0.2, 0.05), (0.03, 0.03), (0.0, 0.01), (0.0, 0.02)])
def test_the_blocks_of_a_verdict_lie_in_the_range_that_is_foretold_in_eight_cases_of_ten(
    shift: float, noise: float
) -> None:
    rng, inside = np.random.default_rng(5), 0
    for _ in range(100):
        ratios = rng.normal(shift, noise, LOOKS[-1])
        foretold = forecast_verdict(ratios[:8].tolist(), ONE, EVERY)
        assert foretold is not None
        known = {"a": dict.fromkeys(EVERY, 0.0), "b": dict(zip(EVERY, ratios.tolist(), strict=True))}

        def is_decided(blocks: int, known: dict[str, dict[int, float]] = known) -> bool:
            floors = {
                label: {block: values[block] for block in range(1, blocks + 1)} for label, values in known.items()
            }
            scored = {label: Scores(values, values) for label, values in floors.items()}
            (found,) = compare_all_pairs(scored, margin=np.expm1(ONE.margin), alpha=ONE.alpha)
            return found.verdict is not Verdict.UNRESOLVED

        actual_blocks = next((blocks for blocks in EVERY if is_decided(blocks)), NOT_FORESEEN)
        inside += foretold.soonest <= actual_blocks <= foretold.latest
    assert inside >= 80
