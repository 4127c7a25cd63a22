"""Single keys that control a sweep: pause, skip a cell, stop and report.

The selector that waits for the worker reads the terminal too, which costs nothing while no key is pressed. Without a
terminal, or while another program has it, there are no keys.
"""

import contextlib
import os
import select
import selectors
import termios
import tty
from types import TracebackType
from typing import Any, Final, Self

from orchestrator.processes.signals import Interrupts

PAUSE: Final = "p"
SKIP: Final = "s"
STOP: Final = "q"
MAX_BYTES: Final = 1024


class Keyboard:
    """The keys of a terminal, read singly while entered. `descriptor` is the terminal's; None: there is none.

    `paused` changes with each press, `skipping` applies to the job that runs at that moment, and `stopping` stays.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = descriptor
        self._before: list[Any] | None = None
        self.paused = self.skipping = self.stopping = False

    def __enter__(self) -> Self:
        if self.listening and not self._is_foreground():
            self._descriptor = None
        if self._descriptor is not None:
            self._before = termios.tcgetattr(self._descriptor)
            tty.setcbreak(self._descriptor, termios.TCSANOW)  # Ctrl-C stays a signal
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # In the background, changing the terminal would stop this process (SIGTTOU).
        if self._before is not None and self._is_foreground():
            assert self._descriptor is not None
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)

    @property
    def listening(self) -> bool:
        """True while a terminal is there to read keys from."""
        return self._descriptor is not None

    def fileno(self) -> int:
        """Return the terminal's descriptor, for a selector."""
        assert self._descriptor is not None
        return self._descriptor

    def read(self) -> None:
        """Read the pressed keys. Stop listening once the terminal is gone or belongs to another program."""
        pressed = b""
        if self._is_foreground():
            with contextlib.suppress(OSError):
                pressed = os.read(self.fileno(), MAX_BYTES)
        if not pressed:
            self._descriptor = None
        for key in pressed.decode("ascii", "replace").lower():
            self.paused ^= key == PAUSE
            self.skipping |= key == SKIP
            self.stopping |= key == STOP

    def begin_job(self) -> None:
        """Prepare for a new job: a skip that was pressed before it does not apply to it."""
        # A key from between two jobs would otherwise be read during the next one, and skip it.
        if self.listening and select.select([self], [], [], 0)[0]:
            self.read()
        self.skipping = False

    def wait(self, interrupts: Interrupts) -> None:
        """Wait until a key or a signal ends the pause, without using the CPU."""
        with selectors.DefaultSelector() as selector:
            selector.register(interrupts, selectors.EVENT_READ)
            if self.listening:
                selector.register(self, selectors.EVENT_READ)
            while self.paused and self.listening and not self.stopping and interrupts.received is None:
                if any(key.fileobj is self for key, _ in selector.select()):
                    self.read()

    def _is_foreground(self) -> bool:
        """Return whether this program is in the terminal's foreground: in the background, reading would stop it."""
        if self._descriptor is None:
            return False
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return False
