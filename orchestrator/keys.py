"""What a sweep's user asks for by single keys: to pause, to skip a cell, to stop and report.

The terminal is read in the selector that waits for the worker, and so costs nothing while nobody presses a key. Where
there is no terminal, or it is another program's at the moment, there are no keys.
"""

import contextlib
import os
import select
import selectors
import termios
import tty
from types import TracebackType
from typing import Any, Final, Self

from orchestrator.interrupts import Interrupts

PAUSE: Final = "p"
SKIP: Final = "s"
STOP: Final = "q"
MOST_BYTES: Final = 1024


class Keys:
    """While entered, single keys of a terminal are wishes. `descriptor` is the terminal's; None: there is none.

    `paused` holds from one press to the next; `skipping` is meant for the job that runs when it is pressed, and
    `stopping` stays.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = descriptor
        self._before: list[Any] | None = None
        self.paused = self.skipping = self.stopping = False

    def __enter__(self) -> Self:
        if self.listening and not self._is_ours():
            self._descriptor = None
        if self._descriptor is not None:
            self._before = termios.tcgetattr(self._descriptor)
            tty.setcbreak(self._descriptor, termios.TCSANOW)  # Ctrl-C stays a signal
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None and self._is_ours():
            assert self._descriptor is not None
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)

    @property
    def listening(self) -> bool:
        """Whether a key can be pressed at all."""
        return self._descriptor is not None

    def fileno(self) -> int:
        """The terminal, for a selector."""
        assert self._descriptor is not None
        return self._descriptor

    def read(self) -> None:
        """Take in what was pressed. Once the terminal has gone, or is another program's, there are no keys any more."""
        pressed = b""
        if self._is_ours():
            with contextlib.suppress(OSError):
                pressed = os.read(self.fileno(), MOST_BYTES)
        if not pressed:
            self._descriptor = None
        for key in pressed.decode("ascii", "replace").lower():
            self.paused ^= key == PAUSE
            self.skipping |= key == SKIP
            self.stopping |= key == STOP

    def begin(self) -> None:
        """A job begins: what was pressed before it is not about it, unless it was to pause or to stop."""
        if self.listening and select.select([self], [], [], 0)[0]:
            self.read()
        self.skipping = False

    def wait(self, interrupts: Interrupts) -> None:
        """Wait while paused, until a key or a signal ends that. Uses no CPU meanwhile."""
        with selectors.DefaultSelector() as selector:
            selector.register(interrupts, selectors.EVENT_READ)
            if self.listening:
                selector.register(self, selectors.EVENT_READ)
            while self.paused and self.listening and not self.stopping and interrupts.received is None:
                if any(key.fileobj is self for key, _ in selector.select()):
                    self.read()

    def _is_ours(self) -> bool:
        """Whether the terminal is there, and reads what is typed for us: in the background it would stop us."""
        if self._descriptor is None:
            return False
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return False
