from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from schemas.event import Event, Failure, Hello, Phase, PhaseName, Report, Setting

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


EVENTS: list[Event] = [
    Hello(pid=1, python="3.11", interpreter="/usr/bin/python"),
    *(Phase(name=name) for name in get_args(PhaseName)),
    Failure(outcome="out-of-memory", reason="no room", where="reference.py:3"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: f"{event.kind}-{getattr(event, 'name', '')}")
def test_an_event_is_one_line_that_is_read_back_as_it_was(event: Event) -> None:
    line = event.model_dump_json()
    assert "\n" not in line
    assert EVENT.validate_json(line) == event


@given(st.text())
def test_a_reason_with_any_text_stays_on_its_line(reason: str) -> None:
    event = Failure(outcome="raised", reason=reason)
    try:
        line = event.model_dump_json()
    except PydanticSerializationError:
        # Half a surrogate pair is no text; the worker replaces it before it writes.
        assert any("\ud800" <= character <= "\udfff" for character in reason)
    else:
        assert len(line.splitlines()) == 1 or not line.isascii()
        assert "\n" not in line
        assert EVENT.validate_json(line) == event


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("name", ["run_delay_ns", "steal_ns", "pressure_ns", "canary_ns"])
def test_a_report_has_one_count_of_each_disturbance_for_each_sample(
    make_report: Callable[..., Report], name: str, count: int
) -> None:
    noise = make_report().noise.model_dump() | {name: (0,) * count}
    expected = f"{count} counts of a disturbance; there should be 3, one for each burst of 1 of the 3 samples"
    with pytest.raises(ValidationError, match=expected):
        make_report(noise=noise)


@pytest.mark.parametrize("count", [2, 4])
def test_a_report_has_the_cpu_time_of_each_sample(make_report: Callable[..., Report], count: int) -> None:
    noise = make_report().noise.model_dump() | {"cpu_ns": (0,) * count}
    with pytest.raises(ValidationError, match=f"{count} CPU times; there should be 3, one a sample"):
        make_report(noise=noise)


@pytest.mark.parametrize(("burst", "readings"), [(1, 10), (3, 4), (5, 2), (7, 2), (10, 1), (25, 1)])
def test_counters_are_read_once_a_burst_and_the_last_burst_may_be_shorter(
    make_report: Callable[..., Report], burst: int, readings: int
) -> None:
    read = dict.fromkeys(("run_delay_ns", "steal_ns", "pressure_ns", "canary_ns"), (1,) * readings)
    noise = make_report().noise.model_dump() | read | {"cpu_ns": (5,) * 10, "burst": burst}
    report = make_report(samples_ns=(9,) * 10, noise=noise)
    assert [report.noise.reading_of(sample) for sample in range(10)] == [sample // burst for sample in range(10)]
    assert report.noise.reading_of(9) == readings - 1
    counted = tuple(range(readings))
    assert list(report.noise.spread_readings(counted, 10)) == [report.noise.reading_of(sample) for sample in range(10)]
    with pytest.raises(ValidationError, match=f"there should be {readings}, one for each burst of {burst} of the 10"):
        make_report(samples_ns=(9,) * 10, noise=noise | {"steal_ns": (1,) * (readings + 1)})


def test_an_older_report_has_a_reading_for_each_sample(make_report: Callable[..., Report]) -> None:
    older = make_report().model_dump(mode="json")
    del older["noise"]["burst"]
    assert Report.model_validate(older).noise.burst == 1


@pytest.mark.parametrize("laps", [[], [[1, 5]], [[0, 5], [1, 5]], [[1, -5], [1, 5]], [[1], [1, 5]]])
def test_a_report_has_the_first_two_calls_at_least(make_report: Callable[..., Report], laps: list[object]) -> None:
    with pytest.raises(ValidationError, match="warmup"):
        make_report(warmup=laps)


@pytest.mark.parametrize(
    "change",
    [
        {"calls": 0},
        {"calls": 1.5},
        {"work": {"flops": -1, "bytes": 0}},
        {"ceiling": {"flops_per_s": float("inf"), "bytes_per_s": 1}},
        {"overhead": {"null_ns": float("nan"), "clock_ns": 1, "linearity": None}},
        {"unseen": float("nan")},
        {"compilations": -1},
        {"new_shapes": ({"first_ns": 0, "second_ns": None, "compilations": None},)},
        {"energy": {"joules": 1.0, "seconds": 1.0, "calls": 0, "source": "x"}},
        {"memory": {"steps": ({"start": -1, "peak": 0},), "trimmed": True}},
        {"phases": ({"name": "lunch", "wall_ns": 1, "cpu_ns": 1},)},
        {"samples_ns": (1 << 63, 1, 1)},
        {"verdict": "fast"},
    ],
)
def test_a_number_that_no_measurement_gives_is_refused(
    make_report: Callable[..., Report], change: dict[str, object]
) -> None:
    with pytest.raises(ValidationError):
        make_report(**change)


def test_a_report_comes_back_from_json_as_it_was(make_report: Callable[..., Report]) -> None:
    memory = {"start": 1, "peak": 3, "end": 2, "pss": None, "uss": None, "processes": 1}
    report = make_report(
        phases=({"name": "import", "wall_ns": 1, "cpu_ns": 2, "memory": memory},),
        memory={"steps": ({"start": 1, "peak": 2},), "trimmed": False, "allocator": {"MALLOC_ARENA_MAX": "1"}},
        new_shapes=({"first_ns": 5, "second_ns": None, "compilations": 1},),
        energy={"joules": 1.5, "seconds": 2.0, "calls": 7, "source": "package-0"},
        warnings=("first", "second"),
        unseen=1.01,
    )
    assert EVENT.validate_json(report.model_dump_json()) == report


def test_what_a_system_does_not_report_is_null_and_not_zero(make_report: Callable[..., Report]) -> None:
    report = make_report()
    assert (report.memory, report.energy, report.unseen, report.age_ns) == (None, None, None, None)
    assert '"energy":null' in report.model_dump_json()
