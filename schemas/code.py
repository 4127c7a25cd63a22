"""The code of a workload that is not ours: which files it is, and its hash, which both sides have to work out alike.

It is every Python file in its folder and in the packages below, and `workload.toml`. A link is read as a file as long
as what it leads to is in the folder as well.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

FILE = "workload.toml"
LARGEST = 16 << 20
"""Bytes of all files together."""

MOST = 100_000
"""Entries of the folder and of all below it, whatever they are."""


class Unreadable(Exception):
    """This folder cannot be taken for a workload's code, and the message says why."""


def hashed(folder: Path) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of the names and contents of a folder's code.

    Raises:
        Unreadable: it is too much, leads out of the folder, or cannot be read.
    """
    whole, size = hashlib.sha256(), 0
    try:
        for path in files(folder):
            content = path.read_bytes()
            size += len(content)
            if size > LARGEST:
                raise Unreadable(f"{folder} holds more than {LARGEST >> 20} MiB of code; give the workload its own")
            whole.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode() + content)
    except OSError as error:
        raise Unreadable(f"cannot read {error.filename or folder}: {error.strerror}") from error
    return whole.hexdigest()[:16]


def files(folder: Path) -> Iterator[Path]:
    """The files of a folder's code, always in the same order."""
    seen = 0
    for place, folders, names in os.walk(folder, onerror=raised):
        folders[:] = sorted(name for name in folders if name.isidentifier() and name != "__pycache__")
        seen += len(folders) + len(names)
        if seen > MOST:
            raise Unreadable(f"{folder} holds more than {MOST} files; give the workload a folder of its own")
        for name in sorted(names):
            path = Path(place, name)
            if (name == FILE or name.endswith(".py")) and path.is_file():
                yield inside(path, folder)


def inside(path: Path, folder: Path) -> Path:
    """The path, unless it is a link that leads out of the folder."""
    if path.resolve().is_relative_to(folder.resolve()):
        return path
    raise Unreadable(f"{path} is a link that leads out of {folder}; put the file itself there")


def raised(error: OSError) -> None:
    """What os.walk would pass over in silence."""
    raise error
