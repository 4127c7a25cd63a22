"""A program on a terminal of its own, whose keys are pressed and whose screen is read as a person would."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyte
from pyte.screens import Char

PATIENCE_S: Final = 60.0
TAKE_IT: Final = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
"""A session has no terminal until it takes one."""


class Terminal:
    """While entered, the program runs. `said` is everything that it wrote, escape codes included."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        columns: int = 80,
        lines: int = 24,
        variables: Mapping[str, str] | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._command, self._folder = [sys.executable, "-c", TAKE_IT, *command], folder
        self._variables = {**os.environ, "TERM": "xterm-256color", **(variables or {})}
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._patience_s = patience_s
        self.said = b""

    def __enter__(self) -> Self:
        self._outer, self._inner = pty.openpty()
        self._size()
        self.before = termios.tcgetattr(self._inner)
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=self._variables,
            start_new_session=True,
            stdin=self._inner,
            stdout=self._inner,
            stderr=self._inner,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
        os.close(self._outer)
        os.close(self._inner)

    @property
    def screen(self) -> list[str]:
        """The lines that a person sees now."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def characters(self) -> list[list[Char]]:
        """The same with colours, character by character."""
        columns, lines = range(self._screen.columns), range(self._screen.lines)
        return [[self._screen.buffer[line][column] for column in columns] for line in lines]

    @property
    def settings(self) -> list[object]:
        """Of the terminal: whether it echoes, and so on."""
        return list(termios.tcgetattr(self._inner))

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._outer, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Another size from now on, of which the program is told."""
        self._screen.resize(lines, columns)
        self._size()

    def until(self, seen: Callable[[str], bool]) -> str:
        """Read on until this is so of the whole screen, which is returned."""
        end = time.monotonic() + self._patience_s
        while not seen(text := "\n".join(self.screen)):
            assert time.monotonic() < end, f"the screen was at last:\n{text}"
            self._read(0.05)
        return text

    def ended(self) -> int:
        """Read on until the program has ended: its exit status."""
        end = time.monotonic() + self._patience_s
        while self._process.poll() is None:
            assert time.monotonic() < end, "\n".join(self.screen)
            self._read(0.05)
        self._read(0.05)
        return self._process.returncode

    def _read(self, timeout_s: float) -> None:
        while select.select([self._outer], [], [], timeout_s)[0]:
            chunk = os.read(self._outer, 1 << 16)
            self.said += chunk
            self._stream.feed(chunk)

    def _size(self) -> None:
        size = struct.pack("HHHH", self._screen.lines, self._screen.columns, 0, 0)
        fcntl.ioctl(self._outer, termios.TIOCSWINSZ, size)
