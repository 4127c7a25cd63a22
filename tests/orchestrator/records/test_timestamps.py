from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.records.timestamps import parse_timestamp


def test_a_moment_is_the_same_whatever_the_zone_it_is_written_in() -> None:
    assert (
        parse_timestamp("2025-01-01T12:00:00+02:00")
        == datetime(2025, 1, 1, 10, tzinfo=UTC)
        == parse_timestamp("2025-01-01T10:00:00Z")
    )


def test_without_a_zone_it_is_this_machines() -> None:
    assert parse_timestamp("2025-01-01T12:00:00") == datetime(2025, 1, 1, 12).astimezone()


@pytest.mark.parametrize("text", ["", "yesterday", "2025-13-01", "0001-01-01T00:00:00+23:00"])
def test_what_names_no_moment_is_none(text: str) -> None:
    assert parse_timestamp(text) is None


@given(st.integers(0, 7_000_000_000), st.integers(-14 * 60, 14 * 60))
def test_every_moment_is_read_back_from_any_zone(second: int, minutes: int) -> None:
    moment = datetime.fromtimestamp(second, timezone(timedelta(minutes=minutes)))
    assert parse_timestamp(moment.isoformat()) == moment


@given(st.text(max_size=40))
def test_any_text_is_a_moment_in_utc_or_none(text: str) -> None:
    found = parse_timestamp(text)
    assert found is None or found.tzinfo is UTC
