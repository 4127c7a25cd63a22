"""The way back of a share's results: into a folder that the head sees, or line by line on standard output."""

import base64
import contextlib
import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, Self

from orchestrator.files.atomic import compress_bytes, read_last_bytes
from orchestrator.records.share_store import ShareStore, hash_bytes
from orchestrator.records.store import MANIFEST
from schemas.record import JobRecord
from schemas.share import Frame, Lease, ShareEnd

# The time between two signs of life.
PULSE_S: Final = 5.0

# The most of a job's log that is sent to where its record is.
MOST_LOG_BYTES: Final = 1 << 16

# Begins each line that is meant for the head. A shell on the way may print others.
LINE_PREFIX: Final = b"plumbline "


class Return(Protocol):
    """The way back to the head."""

    @property
    def store(self) -> ShareStore:
        """The folder of the attempt on this node."""

    def take_lease(self, lease: Lease) -> bool:
        """Take the lease of the attempt; return False if somebody has taken it."""

    def give_sign(self) -> bool:
        """Give a sign of life; return False if the attempt has to end."""

    def close_block(self, block: int, records: Sequence[JobRecord]) -> None:
        """Hand over the records of a block of which every job has ended."""

    def describe_run(self) -> None:
        """Hand over the manifest, which describes this node."""

    def state_end(self, end: ShareEnd) -> None:
        """State the end of the attempt."""


@dataclass(frozen=True, slots=True)
class FolderReturn:
    """The folder of the attempt, which the head sees too."""

    store: ShareStore

    def take_lease(self, lease: Lease) -> bool:
        """Take the lease of the attempt; return False if somebody has taken it."""
        return self.store.take_lease(lease)

    def give_sign(self) -> bool:
        """Give a sign of life; return False if the attempt was withdrawn, or its folder is gone."""
        try:
            self.store.renew_lease()
            is_withdrawn = self.store.is_withdrawn
        except FileNotFoundError:
            return False
        except OSError:  # a file server that does not answer now
            return True
        return not is_withdrawn

    def close_block(self, block: int, records: Sequence[JobRecord]) -> None:
        """Mark the block as closed."""
        self.store.close_block(block, records)

    def describe_run(self) -> None:
        """Leave the manifest where it is."""

    def state_end(self, end: ShareEnd) -> None:
        """State the end of the attempt."""
        self.store.write_end(end)


@dataclass(frozen=True, slots=True)
class StreamReturn:
    """Lines on a descriptor. The files of the attempt are in a folder of the node."""

    store: ShareStore
    descriptor: int
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take_lease(self, lease: Lease) -> bool:
        """Send the lease: the head starts each attempt that it hears once."""
        self._send_file("lease.json", lease.model_dump_json().encode())
        return True

    def give_sign(self) -> bool:
        """Send a sign of life; return False if nobody reads it."""
        try:
            self._send_frame(Frame())
        except OSError:
            return False
        return True

    def close_block(self, block: int, records: Sequence[JobRecord]) -> None:
        """Send the records of the block, the logs of those that were not measured, and then its mark."""
        closed = self.store.hash_block(block, records)
        for name in closed.records:
            self._send_file(f"jobs/{name}", self.store.read_file(f"jobs/{name}"))
        for record in records:
            if record.outcome != "measured":
                self._send_log(self.store.run.log_path(record.spec))
        self._send_file(f"closed/{block}.json", closed.model_dump_json().encode())

    def describe_run(self) -> None:
        """Send the manifest."""
        self._send_file(MANIFEST, self.store.read_file(MANIFEST))

    def state_end(self, end: ShareEnd) -> None:
        """Send the end of the attempt."""
        self._send_file("end.json", end.model_dump_json().encode())

    def _send_log(self, path: Path) -> None:
        """Send the end of a job's log, if it printed anything."""
        try:
            content = read_last_bytes(path, MOST_LOG_BYTES)
        except OSError:  # a job that was skipped has none
            return
        if content:
            self._send_file(f"jobs/{path.name}", content)

    def _send_file(self, name: str, content: bytes) -> None:
        data = base64.b64encode(compress_bytes(content)).decode()
        self._send_frame(Frame(name=name, sha256=hash_bytes(content), data=data))

    def _send_frame(self, frame: Frame) -> None:
        line = LINE_PREFIX + frame.model_dump_json().encode() + b"\n"
        with self._lock:
            while line:
                line = line[os.write(self.descriptor, line) :]


class Pulse:
    """Signs of life while entered, from a thread. If the attempt has to end, this process gets SIGTERM."""

    def __init__(self, way: Return, *, lifeline: int | None = None, pause_s: float = PULSE_S) -> None:
        self._way = way
        self._lifeline = lifeline
        self._pause_s = pause_s
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._give_signs, daemon=True).start()
        if self._lifeline is not None:
            threading.Thread(target=self._watch_lifeline, args=(self._lifeline,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def _give_signs(self) -> None:
        while not self._ended.wait(self._pause_s):
            if not self._way.give_sign():
                self._stop_process()
                return

    def _watch_lifeline(self, descriptor: int) -> None:
        """Wait for the end of standard input, which the head keeps open while it lives."""
        with contextlib.suppress(OSError):
            while os.read(descriptor, 1 << 12):
                pass
        self._stop_process()

    def _stop_process(self) -> None:
        if not self._ended.is_set():
            os.kill(os.getpid(), signal.SIGTERM)
