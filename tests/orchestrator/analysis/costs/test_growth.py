"""The slope of memory: known ones are found, steps are none, and cells that keep nothing are not accused."""

import math

import numpy as np
import pytest

from orchestrator.analysis.costs.growth import is_growing, summarise_slopes
from orchestrator.analysis.derivation.memory import measure_slope
from orchestrator.analysis.statistics.intervals import Interval
from schemas.event import Growth

PAGE = 4096
START = 200 << 20


def draw_growth(rng: np.random.Generator, kept: float, *, steps: int, huge: int = PAGE) -> Growth:
    """Return the readings of a process that keeps so many bytes a call, by pages, and takes so many steps at random."""
    taken = np.zeros(21)
    for at in rng.integers(1, 21, steps):
        taken[at:] += huge
    leaked = np.floor(kept * 500 * np.arange(21) / huge) * huge
    return Growth(calls=500, anonymous=tuple(int(START + each) for each in taken + leaked))


def test_a_known_slope_is_found() -> None:
    readings = tuple(START + 1024 * 500 * place for place in range(21))
    assert measure_slope(Growth(calls=500, anonymous=readings)) == 1024


@pytest.mark.parametrize("at", [1, 4, 17, 20])
def test_a_step_that_is_taken_once_is_no_slope(at: int) -> None:
    readings = tuple(START + (place >= at) * (2 << 20) for place in range(21))
    assert measure_slope(Growth(calls=500, anonymous=readings)) == 0


def test_memory_that_is_given_back_has_a_slope_below_zero() -> None:
    readings = tuple(START - 4096 * place for place in range(21))
    slope = summarise_slopes([measure_slope(Growth(calls=1, anonymous=readings))] * 9)
    assert slope is not None
    assert slope.high < 0
    assert not is_growing(slope)


def test_too_few_processes_support_no_claim() -> None:
    slope = summarise_slopes([1024.0] * 6)
    assert slope is not None
    assert slope.estimate == 1024
    assert math.isinf(slope.low)
    assert not is_growing(slope)
    assert is_growing(summarise_slopes([1024.0] * 8))


def test_processes_that_were_not_watched_do_not_count() -> None:
    assert summarise_slopes([None, None]) is None
    assert not is_growing(None)
    assert summarise_slopes([None, 3.0]) == summarise_slopes([3.0])


@pytest.mark.parametrize(("huge", "error"), [(PAGE, 0.01), (2 << 20, 0.25)], ids=["pages", "huge pages"])
def test_one_kibibyte_a_call_is_always_found_also_by_huge_pages(huge: int, error: float) -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        slope = summarise_slopes(measure_slope(draw_growth(rng, 1024, steps=1, huge=huge)) for _ in range(9))
        assert slope is not None
        assert is_growing(slope)
        assert slope.estimate == pytest.approx(1024, rel=error)


# Bytes beyond the first reading, in KiB: eight processes of keras:tensorflow, 500 calls between readings.
FILLED = (
    (0, 96, 112, 112, 116, 128, 128, 132, 128, 124, 128, 128, 120, 124, 128, 124, 124, 128, 124, 124, 120),
    (0, 28, 44, 44, 52, 48, 44, 60, 60, 56, 64, 56, 64, 56, 56, 60, 56, 56, 48, 56, 52),
    (0, 88, 100, 104, 108, 116, 112, 108, 112, 112, 116, 108, 112, 112, 124, 124, 128, 120, 124, 128, 116),
    (0, 88, 104, 108, 104, 120, 124, 116, 124, 128, 124, 116, 124, 120, 120, 120, 124, 120, 128, 112, 124),
    (0, 120, 132, 136, 136, 136, 128, 148, 144, 144, 144, 148, 144, 140, 144, 148, 156, 148, 152, 148, 148),
    (0, 120, 136, 152, 136, 136, 140, 160, 152, 156, 152, 136, 136, 148, 140, 140, 140, 144, 140, 140, 144),
    (0, 104, 104, 124, 128, 124, 128, 132, 128, 128, 128, 136, 132, 136, 132, 132, 140, 132, 140, 136, 140),
    (0, 56, 92, 88, 84, 96, 96, 96, 108, 100, 104, 104, 108, 96, 104, 104, 100, 104, 108, 104, 108),
)


def test_memory_that_is_filled_in_the_first_calls_is_no_growth() -> None:
    slopes = [
        measure_slope(Growth(calls=500, anonymous=tuple(START + (each << 10) for each in read))) for read in FILLED
    ]
    slope = summarise_slopes(slopes)
    assert slope is not None
    assert slope.low < 0.5
    assert not is_growing(slope)


@pytest.mark.parametrize("kept", [16, 32, 48])
def test_one_small_object_in_each_call_is_growth(kept: int) -> None:
    rng = np.random.default_rng(3)
    slope = summarise_slopes(measure_slope(draw_growth(rng, kept, steps=1)) for _ in range(9))
    assert is_growing(slope)


@pytest.mark.parametrize("most", [0, 1])
def test_pools_that_grow_now_and_then_are_rarely_accused(most: int) -> None:
    rng, runs = np.random.default_rng(2), 400

    def measure_cell() -> Interval | None:
        steps = rng.integers(0, most, 9, endpoint=True)
        return summarise_slopes(measure_slope(draw_growth(rng, 0, steps=int(each))) for each in steps)

    assert sum(is_growing(measure_cell()) for _ in range(runs)) <= 0.02 * runs
