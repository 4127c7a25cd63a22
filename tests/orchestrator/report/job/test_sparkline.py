import pytest

from orchestrator.report.job.sparkline import bin_values, plot_bars, plot_log_bars, plot_marks


def test_the_least_is_the_lowest_bar_and_the_greatest_the_highest() -> None:
    assert plot_bars([1, 2, 3, 8], 60) == "▁▂▃█"
    assert plot_log_bars([1000, 100, 10, 1], 60) == "█▆▃▁"


def test_values_that_are_all_the_same_are_all_low() -> None:
    assert plot_bars([5, 5, 5], 60) == "▁▁▁"
    assert plot_bars([], 60) == ""


def test_a_value_of_zero_has_a_bar() -> None:
    assert plot_log_bars([0, 1, 10], 60) == "▁▁█"
    assert plot_log_bars([0, 0], 60) == "▁▁"


@pytest.mark.parametrize("count", [1, 59, 60, 61, 100_000])
def test_there_are_never_more_signs_than_fit(count: int) -> None:
    assert len(plot_bars(list(range(count)), 60)) <= 60
    assert len(plot_bars(list(range(min(count, 60))), 60)) == min(count, 60)


def test_of_several_in_a_row_any_one_is_marked() -> None:
    assert plot_marks([False, True, False], 60) == "·×·"
    assert plot_marks([False, False, True, False], 2) == "·×"
    assert bin_values([1, 2, 3, 4, 5], 2, max) == [3, 5]
