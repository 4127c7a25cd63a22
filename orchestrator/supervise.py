"""One job from spawn to reaping: feed it, read its events, hold it to its deadline, leave nothing running.

The only Popen of the project. It waits in one selector over the worker's events, the worker's end, the signals that
stop a sweep, and the deadline; between two of these the parent uses no CPU at all.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from pydantic import TypeAdapter, ValidationError

from orchestrator.interrupts import Interrupts
from schemas.event import Event

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
LONGEST_LINE = 16 << 20
LONGEST_TALK = 64 << 20
LONGEST_WAIT_S = 3600.0
GRACE_S = 0.5
"""After each of interrupt and terminate, a process group has so long before the next, harder signal."""

How = Literal["ended", "timeout", "garbled", "interrupted"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ended, and all it said. `status` is negative for a signal, as subprocess has it."""

    how: How
    status: int
    events: tuple[Event, ...]
    wall_ns: int
    reason: str = ""


class Garbled(Exception):
    """What came from the worker is no event."""


def run(
    command: Sequence[str], message: bytes, environment: Mapping[str, str], log: Path, *,
    deadline_s: float, on_event: Callable[[Event], None], interrupts: Interrupts | None = None,
) -> Ending:  # fmt: skip
    """Run one worker to its end.

    `message` goes to its standard input, which is then closed; events come from its standard output; its standard
    error goes to the file `log`. Call it from the main thread: the worker dies when the thread that made it ends.
    """
    start = time.monotonic_ns()
    with log.open("wb") as log_file:
        process = subprocess.Popen(  # noqa: S603 (the one place that starts a worker)
            command, env=dict(environment), start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log_file,
        )  # fmt: skip
    events: list[Event] = []
    try:
        how, reason = _watch(process, message, start + int(deadline_s * 1e9), events, on_event, interrupts)
    finally:
        _end_group(process)
    return Ending(how, process.returncode, tuple(events), time.monotonic_ns() - start, reason)


def _watch(
    process: "subprocess.Popen[bytes]", message: bytes, deadline_ns: int, events: list[Event],
    on_event: Callable[[Event], None], interrupts: Interrupts | None,
) -> tuple[How, str]:  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    lines, feed = Lines(process.stdout.fileno()), Feed(process.stdin, message)
    with process.stdout, process.stdin, _ended(process) as end, selectors.DefaultSelector() as selector:
        selector.register(feed.pipe, selectors.EVENT_WRITE)
        selector.register(lines.descriptor, selectors.EVENT_READ)
        selector.register(end, selectors.EVENT_READ)
        if interrupts is not None:
            selector.register(interrupts, selectors.EVENT_READ)
        try:
            while True:
                left_s = (deadline_ns - time.monotonic_ns()) / 1e9
                ready = {key.fileobj for key, _ in selector.select(min(left_s, LONGEST_WAIT_S))}
                if feed.pipe in ready and feed.done():
                    selector.unregister(feed.pipe)
                    feed.pipe.close()
                for event in lines.read():
                    events.append(event)
                    on_event(event)
                if end in ready:
                    return "ended", ""
                if interrupts is not None and interrupts.received is not None:
                    return "interrupted", f"the sweep was stopped by {interrupts.received.name}"
                if time.monotonic_ns() >= deadline_ns:
                    return "timeout", "the deadline passed"
                if lines.closed and lines.descriptor in ready:
                    selector.unregister(lines.descriptor)
        except Garbled as error:
            return "garbled", str(error)


class Feed:
    """The message on its way to a worker that may never read it."""

    def __init__(self, pipe: IO[bytes], message: bytes) -> None:
        os.set_blocking(pipe.fileno(), False)
        self.pipe = pipe
        self._rest = memoryview(message)

    def done(self) -> bool:
        """Write what the pipe takes now; whether that was all there was to write."""
        try:
            self._rest = self._rest[os.write(self.pipe.fileno(), self._rest) :]
        except BlockingIOError:
            return False
        except BrokenPipeError:
            return True
        return not self._rest


class Lines:
    """Events from a descriptor that does not block: whole lines of bounded length, each valid."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.closed = False
        self._rest = bytearray()
        self._total = 0

    def read(self) -> Iterator[Event]:
        """All events that have arrived whole.

        Raises:
            Garbled: a line is no event, or too long, or all together are too much.
        """
        for chunk in self._chunks():
            self._total += len(chunk)
            self._rest += chunk
            whole: list[bytearray] = []
            if b"\n" in chunk:
                *whole, self._rest = self._rest.split(b"\n")
            if self._total > LONGEST_TALK or len(self._rest) > LONGEST_LINE:
                raise Garbled(
                    f"the worker sent more than {LONGEST_TALK if self._total > LONGEST_TALK else LONGEST_LINE} bytes"
                )
            for line in whole:
                yield self._parse(line)

    def _chunks(self) -> Iterator[bytes]:
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.descriptor, 1 << 16):
                yield chunk
            self.closed = True

    def _parse(self, line: bytearray) -> Event:
        try:
            return EVENT.validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the line"
            raise Garbled(
                f"the worker sent what is no event ({place}: {first['msg']}): {bytes(line[:80])!r}"
            ) from error


@contextlib.contextmanager
def _ended(process: "subprocess.Popen[bytes]") -> Iterator[int]:
    """A descriptor that becomes readable when the process has ended, even while a grandchild holds its pipes."""
    descriptor = os.pidfd_open(process.pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """End whatever is left of the worker's process group: interrupt, wait, terminate, wait, kill."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if process.poll() is not None:
            break
        _signal_group(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
