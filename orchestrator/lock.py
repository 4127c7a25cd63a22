"""A file lock that the kernel releases when its holder ends, even if it is killed."""

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
    """A lock that another process holds; the message is that process's note about itself."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that this process holds. `before` is the last holder's note if that ended abruptly, else empty.

    A process that inherits the descriptor holds the lock as well, until it ends.
    """

    before: str
    descriptor: int


@contextlib.contextmanager
def held(path: Path, about: str) -> Iterator[Lock]:
    """Hold a lock exclusively, with the note `about` on its holder.

    Raises:
        Held: another process holds it.
        OSError: this file system has no locks, or the path is not a regular file.
    """
    with _locked(path, fcntl.LOCK_EX) as file:
        before = file.read(LONGEST).decode(errors="replace")
        said(file.fileno(), about)
        try:
            yield Lock(before, file.fileno())
        finally:
            said(file.fileno(), "")  # an empty note marks an orderly end


@contextlib.contextmanager
def shared(path: Path) -> Iterator[None]:
    """Hold a lock together with other processes; meanwhile none can hold it exclusively.

    Raises:
        Held, OSError: as for an exclusive lock.
    """
    with _locked(path, fcntl.LOCK_SH):
        yield


@contextlib.contextmanager
def _locked(path: Path, how: int) -> Iterator[IO[bytes]]:
    # O_NONBLOCK: a pipe in the lock's place must not block.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"{path.name} is not a regular file")
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Held(os.pread(descriptor, LONGEST, 0).decode(errors="replace")) from error
        yield file


def said(descriptor: int, text: str) -> None:
    """Write the note about the holder; on a full disk, omit it."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
