"""Limits of a job: durations and sizes as people write them, and their bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.limits import BYTES, Amount, Duration, Limits, Seconds, Size

SECONDS: TypeAdapter[float] = TypeAdapter(Seconds)
SIZE: TypeAdapter[int] = TypeAdapter(Size)
DURATION: TypeAdapter[str] = TypeAdapter(Duration)
AMOUNT: TypeAdapter[str] = TypeAdapter(Amount)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(1, 1), (0.25, 0.25), ("7s", 7), ("90s", 90), ("1.5m", 90), ("2h", 7200), (" 3  m ", 180), ("0.001s", 0.001)],
)
def test_a_duration_is_a_number_of_seconds_or_a_text_with_its_unit(said: object, seconds: float) -> None:
    assert SECONDS.validate_python(said) == pytest.approx(seconds)


@pytest.mark.parametrize("said", ["5", " 5 ", "1.5", "0", "007"])
def test_a_text_without_a_unit_is_no_duration_because_it_may_mean_minutes(said: str) -> None:
    number = said.strip()
    with pytest.raises(ValidationError, match=rf"{number} of what\? write {number}m or {number}s"):
        SECONDS.validate_python(said)


@pytest.mark.parametrize("said", ["", " ", "s", "5 days", "5ms", "1:30", "+5", "-5s", "1e3", "5 s s", "1h30m", "5s5"])
def test_what_is_no_duration_is_answered_with_examples(said: str) -> None:
    with pytest.raises(ValidationError, match=r"should be a duration such as 90s, 5m or 1\.5h"):
        SECONDS.validate_python(said)


@pytest.mark.parametrize("said", [0, -1, "0s", "0.0h", float("nan"), float("inf"), 31_536_001, "8761h"])
def test_a_duration_is_positive_and_at_most_a_year(said: object) -> None:
    with pytest.raises(ValidationError):
        SECONDS.validate_python(said)


def test_a_year_is_the_longest_duration() -> None:
    assert SECONDS.validate_python("8760h") == 31_536_000


@pytest.mark.parametrize(
    ("said", "size"),
    [
        (1 << 20, 1 << 20),
        ("1048576", 1 << 20),
        ("4096K", 4 << 20),
        ("512M", 512 << 20),
        ("512MiB", 512 << 20),
        (" 4 GiB ", 4 << 30),
        ("2T", 2 << 40),
        ("1024TiB", 1 << 50),
    ],
)
def test_a_size_is_a_number_of_bytes_or_a_number_with_its_binary_unit(said: object, size: int) -> None:
    assert SIZE.validate_python(said) == size


@pytest.mark.parametrize("said", ["", "G", "1.5GiB", "4GB", "4 gib", "-4GiB", "4KiBs", "1e9", "1" * 19])
def test_what_is_no_size_is_answered_with_examples(said: str) -> None:
    with pytest.raises(ValidationError, match="should be a size such as 512MiB or 4GiB"):
        SIZE.validate_python(said)


@pytest.mark.parametrize("said", [0, 1, (1 << 20) - 1, "1023K", (1 << 50) + 1, "1025T"])
def test_a_size_below_a_mebibyte_or_above_a_pebibyte_is_refused(said: object) -> None:
    with pytest.raises(ValidationError):
        SIZE.validate_python(said)


@given(st.integers(1, 1 << 30), st.sampled_from(sorted(BYTES)), st.sampled_from(["", "iB"]))
def test_every_whole_size_with_a_unit_is_what_it_says(number: int, unit: str, suffix: str) -> None:
    size = number << BYTES[unit]
    said = f"{number}{unit}{suffix}"
    if 1 << 20 <= size <= 1 << 50:
        assert SIZE.validate_python(said) == size
    else:
        with pytest.raises(ValidationError):
            SIZE.validate_python(said)


@given(st.text(max_size=12))
def test_a_text_that_the_printed_schema_refuses_is_refused_by_the_parser_too(text: str) -> None:
    for pattern, parser in ((DURATION, SECONDS), (AMOUNT, SIZE)):
        try:
            pattern.validate_python(text)
        except ValidationError:
            with pytest.raises(ValidationError):
                parser.validate_python(text)


@given(st.from_regex(r"\A[0-9]{1,6}(\.[0-9]{1,3})?[smh]\Z"))
def test_what_fits_the_pattern_of_a_duration_is_a_number_of_seconds_within_the_bounds_or_refused(text: str) -> None:
    assert DURATION.validate_python(text) == text
    seconds = float(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]
    if 0 < seconds <= 31_536_000:
        assert SECONDS.validate_python(text) == pytest.approx(seconds)
    else:
        with pytest.raises(ValidationError, match=r"greater than 0|less than or equal"):
            SECONDS.validate_python(text)


def test_a_job_is_limited_without_a_word_from_its_user() -> None:
    limits = Limits()
    assert limits.memory is None
    assert (limits.log, limits.files, limits.processes, limits.phases) == (256 << 20, 4096, 512, {})


@pytest.mark.parametrize(
    "said",
    [
        {"files": 63},
        {"files": (1 << 20) + 1},
        {"processes": 0},
        {"log": 100},
        {"memory": "none"},
        {"phases": {"lunch": 5}},
        {"phases": {"compile": 0}},
        {"disk": "1GiB"},
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(said: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Limits.model_validate(said)


def test_limits_come_back_from_json_as_they_were() -> None:
    limits = Limits.model_validate({"memory": "2GiB", "phases": {"compile": "5m", "steady": 30}})
    assert limits.phases == {"compile": 300, "steady": 30}
    assert Limits.model_validate_json(limits.model_dump_json()) == limits
