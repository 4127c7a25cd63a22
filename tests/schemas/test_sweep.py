import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.sweep import Stop, SweepSpec


@pytest.mark.parametrize(
    ("said", "seconds"), [(90, 90), (0.5, 0.5), ("90s", 90), ("5m", 300), ("1.5h", 5400), (" 2 m ", 120)]
)
def test_durations_are_said_in_seconds_minutes_or_hours(said: object, seconds: float) -> None:
    assert Stop.model_validate({"budget": said}).budget == seconds


@pytest.mark.parametrize("said", ["", "5", "5x", "m", "-5m", "0s", 0, -1, "1h30m", "five", "nan", "inf", float("inf")])
def test_what_is_no_duration_is_refused(said: object) -> None:
    with pytest.raises(ValidationError):
        Stop.model_validate({"budget": said})


@given(st.floats(min_value=0.001, max_value=1e6))
def test_a_duration_that_was_written_down_reads_as_itself(seconds: float) -> None:
    stop = Stop.model_validate({"budget": seconds})
    assert Stop.model_validate_json(stop.model_dump_json()) == stop


def test_without_a_word_a_sweep_asks_the_question() -> None:
    spec = SweepSpec()
    assert spec.axes.frameworks[0] == "torch:eager"
    assert {text.partition(":")[0] for text in spec.axes.frameworks} == {"torch", "tensorflow"}


@pytest.mark.parametrize("name", ["", ".hidden", "../up", "a/b", "a b", "a\n", "-x", "x" * 65])
def test_a_name_that_no_folder_should_have_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        SweepSpec(name=name)


def test_an_empty_axis_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        SweepSpec.model_validate({"axes": {"batch": []}})


@pytest.mark.parametrize(
    ("calls", "valid"), [(1, True), (500, True), (None, True), (0, False), (-5, False), (1.5, False)]
)
def test_a_sweep_may_be_asked_for_a_number_of_calls(calls: object, valid: bool) -> None:
    if valid:
        assert SweepSpec.model_validate({"calls": calls}).calls == calls
    else:
        with pytest.raises(ValidationError):
            SweepSpec.model_validate({"calls": calls})


def test_a_sweep_ends_by_its_precision_unless_it_is_asked_for_verdicts() -> None:
    assert Stop().until == "precision"
    assert Stop.model_validate({"until": "verdict"}).until == "verdict"
    with pytest.raises(ValidationError):
        Stop.model_validate({"until": "significance"})


def test_a_sweep_of_before_there_were_goals_is_still_read() -> None:
    old = {"budget": 300.0, "precision": 0.02, "blocks": 32}
    assert SweepSpec.model_validate({"stop": old}).stop == Stop()
