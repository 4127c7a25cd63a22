"""Files that are kept for one user: nobody else may have had a hand in them, and a secret nobody else may read."""

import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO

from orchestrator.files.atomic import MAX_FILE_BYTES, open_regular

SHARED_WRITE = stat.S_IWGRP | stat.S_IWOTH
SHARED_ACCESS = stat.S_IRWXG | stat.S_IRWXO


def open_own(path: Path, *, secret: bool = False) -> IO[bytes]:
    """Open a file that this user alone can have written. Nobody else may have been able to read a `secret`.

    Raises:
        OSError: there is no such file.
    """
    file = open_regular(path)
    status = os.fstat(file.fileno())
    if status.st_uid != os.getuid() or status.st_mode & (SHARED_ACCESS if secret else SHARED_WRITE):
        file.close()
        raise PermissionError(f"others may have changed {path}")
    return file


def read_own_text(path: Path, *, secret: bool = False) -> str:
    """Return the text of a file that this user alone can have written; "" if there is none.

    Nobody else may have been able to read a `secret`.
    """
    try:
        with open_own(path, secret=secret) as file:
            return file.read(MAX_FILE_BYTES).decode()
    except (OSError, UnicodeDecodeError):
        return ""


def write_own_text(path: Path, text: str) -> None:
    """Write a text that nobody else can read at any time, completely or not at all. Make its folder if it is missing.

    Raises:
        OSError: it cannot be written.
    """
    write_own_file(path, lambda file: file.write(text.encode()))


def write_own_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write such a file by a function that writes its content to the file that it is given.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
