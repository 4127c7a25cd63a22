"""The event stream of a worker: lines of bounded length, each validated."""

import contextlib
import os
from collections.abc import Iterator
from typing import IO

from pydantic import TypeAdapter, ValidationError

from schemas.event import Event

EVENT_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


# Limits on a worker's output, so that a runaway worker cannot exhaust the parent's memory.
MAX_LINE_BYTES = 16 << 20


MAX_OUTPUT_BYTES = 64 << 20


# A job sends some dozens of events; a parsed one takes more memory than its bytes on the pipe.
MAX_EVENTS = 10_000


class Garbled(Exception):
    """Output of a worker that is not a valid event."""


class MessageFeed:
    """The message to a worker, which may never read it."""

    def __init__(self, pipe: IO[bytes], message: bytes) -> None:
        # A pipe holds 64 KiB: a worker that never reads would block the parent beyond every deadline.
        os.set_blocking(pipe.fileno(), False)
        self.pipe = pipe
        self._rest = memoryview(message)

    def write_available(self) -> bool:
        """Write what the pipe accepts now, and tell whether the message is finished."""
        try:
            self._rest = self._rest[os.write(self.pipe.fileno(), self._rest) :]
        except BlockingIOError:
            return False
        # The worker has ended, and its ending says more than a failed write.
        except BrokenPipeError:
            return True
        return not self._rest


class EventReader:
    """Events read from a descriptor that does not block: valid lines of bounded length."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.closed = False
        self._rest = bytearray()
        self._total = 0
        self._count = 0

    def read(self) -> Iterator[Event]:
        """Yield the events that have arrived completely.

        Raises:
            Garbled: a line is invalid or too long, or the output is too large in total.
        """
        for chunk in self._read_chunks():
            self._total += len(chunk)
            self._rest += chunk
            whole: list[bytearray] = []
            # Splitting at every chunk would scan a long line from its beginning again and again.
            if b"\n" in chunk:
                *whole, self._rest = self._rest.split(b"\n")
            # Checked before parsing, since a line may never end.
            if self._total > MAX_OUTPUT_BYTES or len(self._rest) > MAX_LINE_BYTES:
                raise Garbled(
                    "the worker sent more than "
                    f"{MAX_OUTPUT_BYTES if self._total > MAX_OUTPUT_BYTES else MAX_LINE_BYTES} bytes"
                )
            for line in whole:
                yield self._parse_line(line)

    def _read_chunks(self) -> Iterator[bytes]:
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.descriptor, 1 << 16):
                yield chunk
            self.closed = True

    def _parse_line(self, line: bytearray) -> Event:
        self._count += 1
        if self._count > MAX_EVENTS:
            raise Garbled(f"the worker sent more than {MAX_EVENTS} events")
        try:
            return EVENT_ADAPTER.validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the line"
            raise Garbled(
                f"the worker sent an invalid event ({place}: {first['msg']}): {bytes(line[:80])!r}"
            ) from error
