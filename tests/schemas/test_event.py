from collections.abc import Callable

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.event import Event, Failure, Phase, Report, Setting

EVENT: TypeAdapter[Event] = TypeAdapter(Event)


def test_an_event_is_known_by_its_kind_alone() -> None:
    assert EVENT.validate_json(b'{"kind":"phase","name":"build"}') == Phase(name="build")
    assert EVENT.validate_json(b'{"kind":"failure","outcome":"raised","reason":"x"}') == Failure(
        outcome="raised", reason="x"
    )


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"name":"build"}',
        b'{"kind":"phase","name":"lunch"}',
        b'{"kind":"phase","name":"build"} and more',
        b'{"kind":"report"}',
        b'{"kind":"failure","outcome":"measured","reason":"x"}',
    ],
)
def test_anything_else_is_no_event(line: bytes) -> None:
    with pytest.raises(ValidationError):
        EVENT.validate_json(line)


@pytest.mark.parametrize(("asked", "got", "honoured"), [("1", "1", True), ("1", "2", False), (None, "2", True)])
def test_a_setting_is_honoured_if_what_was_asked_is_what_was_got(asked: str | None, got: str, honoured: bool) -> None:
    assert Setting(name="threads", asked=asked, got=got).honoured is honoured


@pytest.mark.parametrize("samples", [[], [0], [-1], ["a"]])
def test_a_report_without_a_time_in_it_is_refused(make_report: Callable[..., Report], samples: list[object]) -> None:
    with pytest.raises(ValidationError, match="samples_ns"):
        make_report(samples_ns=samples)
