"""One writer at a time: a file that the kernel unlocks when its holder ends, however it ends."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

LONGEST = 200


class Held(Exception):
    """Another process has it; the message is what that process wrote down about itself."""


@contextlib.contextmanager
def held(path: Path, about: str) -> Iterator[str]:
    """Hold a lock, and say who does. Gives what the last holder said if it did not end in order, or nothing.

    Raises:
        Held: another process holds it.
        OSError: this file system knows no locks, or there is a link in the lock's place.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        before = file.read(LONGEST).decode(errors="replace")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Held(before) from error
        said(file.fileno(), about)
        try:
            yield before
        finally:
            said(file.fileno(), "")


def said(descriptor: int, text: str) -> None:
    """Write down who holds it; on a full disk that stays unsaid."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
