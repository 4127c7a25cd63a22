"""A file lock that the kernel releases when its holder ends, even if it is killed."""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

MAX_NOTE_BYTES = 200

# O_NONBLOCK: a pipe in the lock's place must not block.
SAFE_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK


class LockHeld(Exception):
    """A lock that another process holds; the message is that process's note about itself."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that this process holds. `before` is the last holder's note if that ended abruptly, else empty.

    A process that inherits the descriptor holds the lock as well, until it ends.
    """

    before: str
    descriptor: int


@contextlib.contextmanager
def hold_exclusive(path: Path, about: str) -> Iterator[Lock]:
    """Hold a lock exclusively, with the note `about` on its holder.

    Raises:
        Held: another process holds it.
        OSError: this file system has no locks, or the path is not a regular file.
    """
    with _open_locked(path, fcntl.LOCK_EX) as file:
        before = file.read(MAX_NOTE_BYTES).decode(errors="replace")
        write_note(file.fileno(), about)
        try:
            yield Lock(before, file.fileno())
        finally:
            write_note(file.fileno(), "")  # an empty note marks an orderly end


@contextlib.contextmanager
def hold_shared(path: Path) -> Iterator[None]:
    """Hold a lock together with other processes; meanwhile none can hold it exclusively.

    Raises:
        Held, OSError: as for an exclusive lock.
    """
    with _open_locked(path, fcntl.LOCK_SH):
        yield


@contextlib.contextmanager
def hold_public(path: Path, about: str) -> Iterator[None]:
    """Hold a lock exclusively that any user may hold, with the note `about` on its holder.

    Anyone may write that note, so a reader must not trust it.

    Raises:
        Held, OSError: as for an exclusive lock.
    """
    with _open_locked(path, fcntl.LOCK_EX, _open_public) as file:
        write_note(file.fileno(), about)
        try:
            yield
        finally:
            write_note(file.fileno(), "")


def _open_private(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | SAFE_FLAGS, 0o644)


def _open_public(path: Path) -> int:
    """Open a file that any user may lock, and make it if it is missing."""
    # O_CREAT is for a new file only: in a folder like /tmp the kernel refuses it for another user's file
    # (fs.protected_regular).
    with contextlib.suppress(FileNotFoundError):
        return _open_existing(path)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | SAFE_FLAGS, 0o666)
    except FileExistsError:  # another process has just made it
        return _open_existing(path)
    os.fchmod(descriptor, 0o666)  # whatever the umask
    return descriptor


def _open_existing(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | SAFE_FLAGS)
    except PermissionError:
        return os.open(path, os.O_RDONLY | SAFE_FLAGS)  # enough for a lock, though not for a note


@contextlib.contextmanager
def _open_locked(path: Path, how: int, open_file: Callable[[Path], int] = _open_private) -> Iterator[IO[bytes]]:
    descriptor = open_file(path)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"{path.name} is not a regular file")
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        try:
            # Not lockf(), whose locks end as soon as the process closes any descriptor of the file.
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockHeld(os.pread(descriptor, MAX_NOTE_BYTES, 0).decode(errors="replace")) from error
        yield file


def write_note(descriptor: int, text: str) -> None:
    """Write the note about the holder; on a full disk, omit it."""
    with contextlib.suppress(OSError):
        # Otherwise a shorter note would keep the end of a longer one, and name a wrong process.
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)


def is_locked(path: Path) -> bool:
    """Return whether a process holds a lock of a file, without taking it; True where the kernel does not tell."""
    try:
        held = Path("/proc/locks").read_text(errors="replace")
        inode = path.stat(follow_symlinks=False).st_ino
    except OSError:
        return True
    # A device is left out: some file systems have another number for it there.
    return any(field.endswith(f":{inode}") for line in held.splitlines() for field in line.split())


def lock_new(descriptor: int, path: Path) -> bool:
    """Lock a file or folder that this process has just made, as a sign that its maker lives.

    Return False if another process found it before it was locked, and removed it as abandoned.
    """
    # Without locks on this file system, nothing is ever found abandoned.
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return path.exists()


def remove_if_abandoned(path: Path, remove: Callable[[Path], None]) -> None:
    """Remove a file or folder that its maker locked with `lock_new`, if the maker is gone."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            # While the maker lives, this raises an OSError, and nothing is removed.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(path)
        finally:
            os.close(descriptor)
