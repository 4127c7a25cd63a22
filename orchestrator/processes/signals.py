"""Ctrl-C, SIGTERM and SIGHUP as a value to check, not as an exception that may occur anywhere."""

import contextlib
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType, TracebackType
from typing import Self

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Interrupting signals. While entered, `received` keeps the first one, which also makes `fileno()` readable."""

    def __init__(self, signals: Iterable[signal.Signals] = STOP_SIGNALS) -> None:
        self._signals = tuple(signals)
        self.received: signal.Signals | None = None

    def __enter__(self) -> Self:
        # Python retries a select() that a handled signal interrupts; only a readable descriptor ends it.
        self._reader, self._writer = socket.socketpair()
        # Python's C handler writes here and must never wait. One byte wakes the reader, so a full buffer is harmless.
        self._writer.setblocking(False)
        self._before_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        # `nohup` ignores SIGHUP for the commands that it starts, and must keep its promise.
        heard = (each for each in self._signals if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN)
        self._before = {number: signal.signal(number, self._keep_signal) for number in heard}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        # Before the sockets are closed: the kernel soon gives their numbers to other files.
        signal.set_wakeup_fd(self._before_fd)
        self._reader.close()
        self._writer.close()

    def fileno(self) -> int:
        """Return a descriptor, for a selector, that becomes readable with the first signal and stays so."""
        return self._reader.fileno()

    def _keep_signal(self, number: int, _frame: FrameType | None) -> None:
        self.received = self.received or signal.Signals(number)


def wait_for_signal(seconds: float, interrupts: Interrupts | None) -> None:
    """Wait for so long, or until these interrupts have received a signal."""
    select.select([] if interrupts is None else [interrupts], [], [], seconds)


@contextlib.contextmanager
def call_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call a function whenever a signal asks this process to end, instead of ending it, until the end of the block."""
    # As in Interrupts, `nohup` keeps its promise.
    heard = (each for each in STOP_SIGNALS if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN)
    before = {number: signal.signal(number, lambda *_: stop()) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def postpone_signals() -> Iterator[Interrupts | None]:
    """Postpone the effect of a signal until the end of the block, which removes whatever it has made.

    Yield the interrupts of this block, or None if an outer block keeps the signals already, or in another thread than
    the main one, which no signal reaches.
    """
    kept = isinstance(getattr(signal.getsignal(signal.SIGINT), "__self__", None), Interrupts)
    if kept or threading.current_thread() is not threading.main_thread():
        yield None
        return
    interrupts = Interrupts()
    try:
        with interrupts:
            yield interrupts
    finally:
        if interrupts.received is not None:
            # Only now are the former handlers back, so that the signal has its usual effect.
            signal.raise_signal(interrupts.received)


def format_signal(number: int) -> str:
    """Return a signal's name, such as `SIGKILL`, or its number if it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
