import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.format import (
    first_digit_value,
    fold_label,
    format_clock,
    format_count,
    format_duration,
    format_error,
    format_rank,
    format_ratio,
    format_ratio_range,
    format_seconds,
    format_size,
    round_counts,
    to_printable,
)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 ns"),
        (0.5, "0.50 ns"),
        (1, "1.00 ns"),
        (9.99, "9.99 ns"),
        (9.996, "10.0 ns"),
        (12.34, "12.3 ns"),
        (99.96, "100 ns"),
        (345.6, "346 ns"),
        (999.4, "999 ns"),
        (999.6, "1.00 µs"),
        (34_512, "34.5 µs"),
        (9_996, "10.0 µs"),
        (1e6, "1.00 ms"),
        (123_456_789, "123 ms"),
        (1e9, "1.00 s"),
        (61.2e9, "61.2 s"),
        (1234e9, "1234 s"),
        (math.nan, "–"),
        (math.inf, "–"),
    ],
)
def test_durations_have_three_digits_and_their_unit(nanoseconds: float, text: str) -> None:
    assert format_duration(nanoseconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1, "1.000"), (1.0431, "1.043"), (0.0504, "0.050"), (12.34, "12.3"), (math.inf, "–")]
)
def test_ratios_have_three_decimals_until_they_are_large(value: float, text: str) -> None:
    assert format_ratio(value) == text


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (Interval(1, 0.9, 1.1), "0.900 to 1.100"),
        (Interval(1, 0, 1.1), ""),
        (Interval(1, 0.9, math.inf), ""),
        (Interval(math.nan, -math.inf, math.inf), ""),
    ],
)
def test_an_end_that_the_data_do_not_support_is_not_shown(interval: Interval, text: str) -> None:
    assert format_ratio_range(interval) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (200, "3:20"), (3600, "60:00"), (-5, "0:00")]
)
def test_time_left_is_in_minutes_and_seconds(seconds: float, text: str) -> None:
    assert format_clock(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "1"),
        (999, "999"),
        (360_000, "360,000"),
        (3.6e6, "3.6 million"),
        (1e9, "1 billion"),
        (2.5e13, "25,000 billion"),
        (math.inf, "never"),
    ],
)
def test_counts_are_in_words_from_a_million_on(count: float, text: str) -> None:
    assert format_count(count) == text


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        (Interval(359_606, 269_488, 523_808), Interval(360_000, 260_000, 530_000)),
        (Interval(359_606, 359_488, 359_808), Interval(359_610, 359_480, 359_810)),
        (Interval(3_456_789, 8_123, 98_765_432), Interval(3_500_000, 8_100, 99_000_000)),
        (Interval(256, 241, 271), Interval(256, 241, 271)),
        (Interval(1, 1, 1), Interval(1, 1, 1)),
        (Interval(math.inf, 166_500, math.inf), Interval(math.inf, 160_000, math.inf)),
        (Interval(math.inf, math.inf, math.inf), Interval(math.inf, math.inf, math.inf)),
    ],
)
def test_counts_have_the_digits_that_their_interval_supports(counts: Interval, shown: Interval) -> None:
    assert round_counts(counts) == shown


@given(st.floats(1, 1e15), st.floats(0, 1e15), st.floats(0, 1e15))
def test_rounding_never_narrows_an_interval(low: float, more: float, yet_more: float) -> None:
    counts = Interval(low + more, low, low + more + yet_more)
    shown = round_counts(counts)
    assert shown.low <= counts.low * (1 + 1e-9)
    assert shown.high >= counts.high * (1 - 1e-9)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1, "1.0 B"),
        (512, "512 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (208 << 20, "208 MiB"),
        (10 << 20, "10.0 MiB"),
        (3 << 30, "3.0 GiB"),
        (5 << 40, "5120 GiB"),
        (math.inf, "–"),
        (math.nan, "–"),
    ],
)
def test_sizes_have_about_three_digits_and_their_unit(count: float, text: str) -> None:
    assert format_size(count) == text


@pytest.mark.parametrize(("best", "worst", "text"), [(1, 1, "1"), (2, 3, "2–3"), (1, 10, "1–10")])
def test_a_rank_that_is_shared_has_both_ends(best: int, worst: int, text: str) -> None:
    assert format_rank(best, worst) == text


@given(st.text())
def test_what_is_printed_commands_no_terminal_and_loses_no_character(text: str) -> None:
    shown = to_printable(text)
    assert len(shown) == len(text)
    assert all(character.isprintable() or character in "\t\n" for character in shown)
    assert to_printable(shown) == shown


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("torch:eager", "torch:eager"),
        ("tensorflow:function", "tensorflow:function"),
        ("torch:compile-dynamic (A/A)", "torch:compile-dynamic\n (A/A)"),
        ("tensorflow@2.20:function", "tensorflow@2.20:\n function"),
        ("tensorflow@2.20:function (A/A)", "tensorflow@2.20:\n function\n (A/A)"),
        ("a-framework-of-a-long-name:mode", "a-framework-of-a-long-name:mode"),
        ("x\x1b:eager", "x\N{REPLACEMENT CHARACTER}:eager"),
    ],
)
def test_a_label_is_folded_where_a_version_or_a_clone_makes_it_long(label: str, text: str) -> None:
    assert fold_label(label) == text


@given(st.floats(1e-3, 1e14))
def test_a_duration_is_within_half_a_unit_of_its_third_digit(nanoseconds: float) -> None:
    number, unit = format_duration(nanoseconds).split(" ")
    shown = float(number) * {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9}[unit]
    assert shown == pytest.approx(nanoseconds, rel=0.006, abs=0.006)


@given(st.floats(1, 1e15))
def test_a_count_is_within_a_call_or_twelve_digits_of_itself(count: float) -> None:
    number, _, word = format_count(count).replace(",", "").partition(" ")
    assert float(number) * {"million": 1e6, "billion": 1e9, "": 1}[word] == pytest.approx(count, rel=1e-11, abs=0.51)


@given(st.integers(1, 10**9))
def test_the_first_digit_has_the_place_value_of_a_power_of_ten(count: int) -> None:
    value = first_digit_value(count)
    assert value <= count < 10 * value
    assert str(value).strip("0") == "1"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1 s"),
        (0.2, "1 s"),
        (8.4, "8 s"),
        (9.6, "10 s"),
        (29, "30 s"),
        (94, "95 s"),
        (96, "2 min"),
        (601, "11 min"),
        (5400, "1.5 h"),
        (86_400, "24.0 h"),
    ],
)
def test_a_rough_duration_is_as_rough_as_what_it_rests_on(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("value", "text", "ceiling"),
    [
        (0.0, "0", "0"),
        (0.3, "0.3", "0.3"),
        (0.31, "0.3", "0.4"),
        (0.95, "1", "1"),
        (2.04e-7, "2e-7", "3e-7"),
        (3e-7, "3e-7", "3e-7"),
        (9.6e-6, "1e-5", "1e-5"),
        (1.4e-16, "1e-16", "2e-16"),
        (0.0012, "0.001", "0.002"),
        (42.0, "40", "50"),
        (2.2e7, "2e7", "3e7"),
        (math.inf, "–", "–"),
        (math.nan, "–", "–"),
    ],
)
def test_errors_have_one_digit_and_no_padding(value: float, text: str, ceiling: str) -> None:
    assert format_error(value) == text
    assert format_error(value, math.ceil) == ceiling


@given(st.floats(1e-18, 1e12))
def test_an_error_is_within_its_ceiling(value: float) -> None:
    assert value <= float(format_error(value, math.ceil)) * (1 + 1e-8) < 2.1 * value
