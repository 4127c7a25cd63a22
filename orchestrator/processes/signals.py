"""Ctrl-C, SIGTERM and SIGHUP as a value to check, not as an exception that may occur anywhere."""

import signal
import socket
from collections.abc import Iterable
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
        self._writer.setblocking(False)
        self._before_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._keep_signal) for number in self._signals}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._before_fd)
        self._reader.close()
        self._writer.close()

    def fileno(self) -> int:
        """Return a descriptor, for a selector, that becomes readable with the first signal and stays so."""
        return self._reader.fileno()

    def _keep_signal(self, number: int, _frame: FrameType | None) -> None:
        self.received = self.received or signal.Signals(number)
