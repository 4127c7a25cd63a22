import os
import select
import signal
import threading

import pytest

from orchestrator.processes.signals import Interrupts, call_on_signals, format_signal, postpone_signals


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


def test_a_hang_up_that_is_ignored_for_a_command_with_nohup_stays_ignored() -> None:
    ours = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
            assert interrupts.received is None
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, ours)


def interrupt_in_a_block(heard: list[signal.Signals | None], error: type[Exception] | None = None) -> None:
    with postpone_signals() as interrupts:
        assert interrupts is not None
        os.kill(os.getpid(), signal.SIGINT)
        heard.append(interrupts.received)
        if error is not None:
            raise error


@pytest.mark.parametrize("error", [None, OSError])
def test_a_postponed_signal_takes_effect_after_the_block_however_that_ends(error: type[Exception] | None) -> None:
    ours, heard = signal.signal(signal.SIGINT, signal.default_int_handler), list[signal.Signals | None]()
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupt_in_a_block(heard, error)
    finally:
        signal.signal(signal.SIGINT, ours)
    assert heard == [signal.SIGINT]


def test_a_signal_that_is_a_value_already_stays_with_the_one_who_asked_for_it() -> None:
    with Interrupts() as outer:
        with postpone_signals() as inner:
            os.kill(os.getpid(), signal.SIGTERM)
        assert (inner, outer.received) == (None, signal.SIGTERM)


def test_a_thread_that_no_signal_reaches_need_not_postpone_any() -> None:
    def postpone() -> None:
        with postpone_signals() as inner:
            heard.append(inner)

    heard: list[Interrupts | None] = []
    thread = threading.Thread(target=postpone)
    thread.start()
    thread.join()
    assert heard == [None]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_calls_a_function_and_ends_nothing_until_the_block_is_left(sent: signal.Signals) -> None:
    heard, before = list[str](), signal.getsignal(sent)
    with call_on_signals(lambda: heard.append("asked")):
        signal.raise_signal(sent)
        signal.raise_signal(sent)
    assert heard == ["asked", "asked"]
    assert signal.getsignal(sent) == before


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    heard, before = list[str](), signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with call_on_signals(lambda: heard.append("asked")):
            signal.raise_signal(signal.SIGHUP)
        assert heard == []
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_without_a_name_has_its_number() -> None:
    assert format_signal(9) == "SIGKILL"
    assert format_signal(35) == "signal 35"
