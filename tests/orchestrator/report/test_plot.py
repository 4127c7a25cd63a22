import pytest

from orchestrator.report.plot import bars, binned, log_bars, marks


def test_the_least_is_the_lowest_bar_and_the_greatest_the_highest() -> None:
    assert bars([1, 2, 3, 8], 60) == "▁▂▃█"
    assert log_bars([1000, 100, 10, 1], 60) == "█▆▃▁"


def test_values_that_are_all_the_same_are_all_low() -> None:
    assert bars([5, 5, 5], 60) == "▁▁▁"
    assert bars([], 60) == ""


def test_a_value_of_zero_has_a_bar() -> None:
    assert log_bars([0, 1, 10], 60) == "▁▁█"
    assert log_bars([0, 0], 60) == "▁▁"


@pytest.mark.parametrize("count", [1, 59, 60, 61, 100_000])
def test_there_are_never_more_signs_than_fit(count: int) -> None:
    assert len(bars(list(range(count)), 60)) <= 60
    assert len(bars(list(range(min(count, 60))), 60)) == min(count, 60)


def test_of_several_in_a_row_any_one_is_marked() -> None:
    assert marks([False, True, False], 60) == "·×·"
    assert marks([False, False, True, False], 2) == "·×"
    assert binned([1, 2, 3, 4, 5], 2, max) == [3, 5]
