"""Progress of a comparison as one line that is written again and again, as a terminal and a notebook show it."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from orchestrator.execution.sweep_events import BlockStarted, JobEnded, JobStarted, SweepEvent, UnmeasuredJobEnded
from orchestrator.format import format_clock, to_printable

WIDTH = 100


class ProgressLine:
    """A view of a sweep on one line, which ends with the sweep."""

    def __init__(self, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._now = stream, now
        self._block = self._in_block = self._done = self._all = 0

    def __enter__(self) -> Self:
        self._began = self._now()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write_line(f"{self._all} processes in {format_clock(self._now() - self._began)}")
        print(file=self._stream, flush=True)

    def __call__(self, event: SweepEvent) -> None:
        """Write the line again where an event changes it."""
        match event:
            case BlockStarted(block, order):
                self._block, self._in_block, self._done = block, len(order), 0
            case JobEnded() | UnmeasuredJobEnded():
                self._done += isinstance(event, JobEnded)
                self._all += 1
            case JobStarted(spec):
                name = f"{spec.cell.label}: {spec.purpose.kind}"
                place = (
                    f"block {self._block}, process {self._done + 1} of {self._in_block}" if self._block else "preparing"
                )
                self._write_line(f"{place}, {format_clock(self._now() - self._began)}, {name}")

    def _write_line(self, text: str) -> None:
        self._stream.write(f"\r{to_printable(text)[:WIDTH]:{WIDTH}}")
        self._stream.flush()
