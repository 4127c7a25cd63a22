"""One writer at a time: a file that the kernel unlocks when its holder ends, however it ends."""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LONGEST = 200


class Held(Exception):
    """Another process has it; the message is what that process wrote down about itself."""


@dataclass(frozen=True, slots=True)
class Lock:
    """One that is held. `before` is what the last holder said if it did not end in order, or nothing.

    A process that inherits the descriptor holds the lock as well, until it ends.
    """

    before: str
    descriptor: int


@contextlib.contextmanager
def held(path: Path, about: str) -> Iterator[Lock]:
    """Hold a lock, alone, and say who does.

    Raises:
        Held: another process holds it.
        OSError: this file system knows no locks, or something else is in the lock's place.
    """
    with _locked(path, fcntl.LOCK_EX) as file:
        before = file.read(LONGEST).decode(errors="replace")
        said(file.fileno(), about)
        try:
            yield Lock(before, file.fileno())
        finally:
            said(file.fileno(), "")


@contextlib.contextmanager
def shared(path: Path) -> Iterator[None]:
    """Hold a lock together with others who do so; meanwhile nobody can have it alone.

    Raises:
        Held, OSError: as above.
    """
    with _locked(path, fcntl.LOCK_SH):
        yield


@contextlib.contextmanager
def _locked(path: Path, how: int) -> Iterator[IO[bytes]]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"{path.name} is no plain file")
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Held(os.pread(descriptor, LONGEST, 0).decode(errors="replace")) from error
        yield file


def said(descriptor: int, text: str) -> None:
    """Write down who holds it; on a full disk that stays unsaid."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
