"""The event stream: events as they arrive in any pieces, and limits that a runaway worker meets."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.execution import event_stream
from orchestrator.execution.event_stream import EventReader, Garbled, MessageFeed
from schemas.event import Event, Failure, Hello, Phase

EVENTS: list[Event] = [
    Hello(pid=1, python="3.11", interpreter="/usr/bin/python"),
    Phase(name="import"),
    Failure(outcome="raised", reason="ü and 日本"),
]
LINES = b"".join(event.model_dump_json().encode() + b"\n" for event in EVENTS)


@dataclass
class Pipe:
    """A pipe whose inner end does not block, with a reader at it."""

    outer: int
    inner: int
    reader: EventReader

    def write(self, text: bytes) -> list[Event]:
        """Write some bytes, and return the events that are complete now."""
        os.write(self.outer, text)
        return list(self.reader.read())


def open_pipe() -> Pipe:
    inner, outer = os.pipe()
    os.set_blocking(inner, False)
    return Pipe(outer, inner, EventReader(inner))


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = open_pipe()
    yield made
    os.close(made.outer)
    os.close(made.inner)


def test_whole_lines_are_events_in_their_order(pipe: Pipe) -> None:
    assert pipe.write(LINES) == EVENTS


@given(st.lists(st.integers(1, len(LINES) - 1), max_size=8))
def test_events_arrive_whole_however_the_pipe_cuts_them(cuts: list[int]) -> None:
    pipe = open_pipe()
    edges = [0, *sorted(cuts), len(LINES)]
    found = [event for begin, end in pairwise(edges) for event in pipe.write(LINES[begin:end])]
    os.close(pipe.outer)
    os.close(pipe.inner)
    assert found == EVENTS


def test_where_nothing_has_arrived_nothing_is_waited_for(pipe: Pipe) -> None:
    assert list(pipe.reader.read()) == []
    assert not pipe.reader.closed


def test_half_a_line_is_kept_for_the_rest_of_it(pipe: Pipe) -> None:
    half = len(LINES) // 2
    begun = pipe.write(LINES[:half])
    assert begun + pipe.write(LINES[half:]) == EVENTS


def test_the_end_of_the_worker_closes_the_stream(pipe: Pipe) -> None:
    os.write(pipe.outer, LINES)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, pipe.outer)  # the last writer is gone
    os.close(silent)
    assert list(pipe.reader.read()) == EVENTS
    list(pipe.reader.read())
    assert pipe.reader.closed


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (b"", "the line: Invalid JSON"),
        (b"hello", "the line: Invalid JSON"),
        (b"{}", "the line: Unable to extract tag"),
        (b'{"kind":"phase","name":"lunch"}', "phase.name: Input should be"),
        (b"\xff\xfe", "the line: "),
        (b"[1]", "the line: "),
    ],
)
def test_a_line_that_is_no_event_is_garbled_and_quoted(pipe: Pipe, line: bytes, place: str) -> None:
    with pytest.raises(Garbled) as told:
        pipe.write(LINES + line + b"\n")
    assert str(told.value).startswith(f"the worker sent an invalid event ({place}")
    assert str(told.value).endswith(f": {line!r}")


def test_of_a_long_line_only_the_beginning_is_quoted(pipe: Pipe) -> None:
    with pytest.raises(Garbled) as told:
        pipe.write(b"x" * 10_000 + b"\n")
    assert len(str(told.value)) < 300


def test_a_line_beyond_the_limit_is_garbled_before_it_ends(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MAX_LINE_BYTES", 100)
    with pytest.raises(Garbled, match="the worker sent more than 100 bytes"):
        pipe.write(b"x" * 101)


def test_output_beyond_the_limit_is_garbled_though_every_line_is_an_event(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "MAX_OUTPUT_BYTES", 2 * len(LINES))
    assert pipe.write(LINES) == pipe.write(LINES) == EVENTS
    with pytest.raises(Garbled, match=f"the worker sent more than {2 * len(LINES)} bytes"):
        pipe.write(LINES)


def test_events_beyond_the_limit_are_garbled(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MAX_EVENTS", 5)
    assert pipe.write(LINES) == EVENTS
    with pytest.raises(Garbled):
        pipe.write(LINES)


def test_a_message_is_written_as_far_as_the_pipe_takes_it_and_then_finished() -> None:
    inner, outer = os.pipe()
    message = bytes(range(256)) * 4096
    with os.fdopen(outer, "wb", buffering=0) as pipe, os.fdopen(inner, "rb", buffering=0) as source:
        feed, arrived = MessageFeed(pipe, message), b""
        assert not feed.write_available()
        while not feed.write_available():
            arrived += source.read(1 << 16)
        os.set_blocking(source.fileno(), False)
        while rest := source.read(1 << 16):
            arrived += rest
    assert arrived == message


def test_a_worker_that_reads_nothing_of_a_message_has_finished_it_when_it_ends() -> None:
    inner, outer = os.pipe()
    with os.fdopen(outer, "wb", buffering=0) as pipe:
        feed = MessageFeed(pipe, b"x" * (1 << 20))
        assert not feed.write_available()
        os.close(inner)
        assert feed.write_available()
