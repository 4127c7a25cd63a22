"""Requests to end the running job: a signal comes before a key, and each has its words."""

import selectors

import pytest

from orchestrator.execution.keyboard import Keyboard
from orchestrator.execution.stop_requests import StopKind, StopRequests
from orchestrator.processes.signals import STOP_SIGNALS, Interrupts
from orchestrator.selftest.cpu_hog import ManualInterrupts


def press(*, stopping: bool = False, skipping: bool = False) -> Keyboard:
    keys = Keyboard()
    keys.stopping, keys.skipping = stopping, skipping
    return keys


def receive(number: int) -> Interrupts:
    interrupts = Interrupts(())
    interrupts.received = STOP_SIGNALS[number]
    return interrupts


@pytest.mark.parametrize(
    ("requests", "due"),
    [
        (StopRequests(), None),
        (StopRequests(Interrupts(()), Keyboard()), None),
        (StopRequests(receive(0)), ("interrupted", f"the sweep was stopped by {STOP_SIGNALS[0].name}")),
        (StopRequests(receive(1)), ("interrupted", f"the sweep was stopped by {STOP_SIGNALS[1].name}")),
        (StopRequests(keys=press(stopping=True)), ("interrupted", "the user stopped the sweep")),
        (StopRequests(keys=press(skipping=True)), ("skipped", "the user skipped this cell")),
        (StopRequests(keys=press(stopping=True, skipping=True)), ("interrupted", "the user stopped the sweep")),
        (
            StopRequests(receive(0), press(skipping=True)),
            ("interrupted", f"the sweep was stopped by {STOP_SIGNALS[0].name}"),
        ),
    ],
)
def test_a_request_has_its_kind_and_its_words(requests: StopRequests, due: tuple[StopKind, str] | None) -> None:
    assert requests.find_request() == due


def test_without_sources_there_is_nothing_to_wait_for() -> None:
    with selectors.DefaultSelector() as selector:
        StopRequests().register_sources(selector)
        StopRequests(keys=Keyboard()).register_sources(selector)
        assert not selector.get_map()


def test_a_signal_wakes_the_selector() -> None:
    with selectors.DefaultSelector() as selector, ManualInterrupts() as bell:
        StopRequests(bell).register_sources(selector)
        assert selector.select(0) == []
        bell.interrupt()
        assert [key.fileobj for key, _ in selector.select(0)] == [bell]


def test_a_skip_from_before_the_job_does_not_apply_to_it() -> None:
    keys = press(skipping=True)
    with selectors.DefaultSelector() as selector:
        requests = StopRequests(keys=keys)
        requests.register_sources(selector)
        assert requests.find_request() is None
