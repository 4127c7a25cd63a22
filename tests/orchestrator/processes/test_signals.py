import os
import select
import signal

import pytest

from orchestrator.processes.signals import Interrupts


def is_readable(interrupts: Interrupts) -> bool:
    return bool(select.select([interrupts], [], [], 0)[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_becomes_a_value_and_wakes_who_waits(number: signal.Signals) -> None:
    with Interrupts() as interrupts:
        before = (interrupts.received, is_readable(interrupts))
        os.kill(os.getpid(), number)
        assert before == (None, False)
        assert interrupts.received == number
        assert is_readable(interrupts)


def test_the_first_signal_is_the_one_that_is_kept() -> None:
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert interrupts.received == signal.SIGTERM


def test_afterwards_signals_mean_what_they_meant_before() -> None:
    ours = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell starts background jobs with SIGINT ignored
    try:
        interrupts = Interrupts()
        interrupts.__enter__()
        interrupts.__exit__(None, None, None)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, ours)
