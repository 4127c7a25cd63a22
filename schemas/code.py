"""The files of a user's workload, and their hash, on which the orchestrator and its workers must agree.

The files are `workload.toml` and every Python file in the folder and its packages. A link is read as a file if its
target is in the folder too.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

WORKLOAD_FILE = "workload.toml"

# Bytes of all files together. Every job hashes them.
MAX_BYTES = 16 << 20

# Entries of any kind in the folder and below it. A folder such as / must not be walked for minutes.
MAX_ENTRIES = 100_000


class UnreadableCode(Exception):
    """A folder that cannot be read as a workload's code. The message gives the reason."""


def hash_workload_code(folder: Path) -> str:
    """Return sixteen hexadecimal digits of the SHA-256 of the names and contents of a folder's code.

    Raises:
        Unreadable: the code is too large, leads out of the folder, or cannot be read.
    """
    whole, size = hashlib.sha256(), 0
    try:
        for path in list_code_files(folder):
            content = path.read_bytes()
            size += len(content)
            if size > MAX_BYTES:
                raise UnreadableCode(
                    f"{folder} holds more than {MAX_BYTES >> 20} MiB of code; move the workload to a separate folder"
                )
            whole.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode() + content)
    except OSError as error:
        raise UnreadableCode(f"cannot read {error.filename or folder}: {error.strerror}") from error
    return whole.hexdigest()[:16]


def list_code_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder's code in a fixed order."""
    seen = 0
    for place, folders, names in os.walk(folder, onerror=raise_error):
        # In place: os.walk descends only into the folders that remain in this list.
        folders[:] = sorted(name for name in folders if name.isidentifier() and name != "__pycache__")
        seen += len(folders) + len(names)
        if seen > MAX_ENTRIES:
            raise UnreadableCode(
                f"{folder} holds more than {MAX_ENTRIES} files; move the workload to a separate folder"
            )
        for name in sorted(names):
            path = Path(place, name)
            if (name == WORKLOAD_FILE or name.endswith(".py")) and path.is_file():
                yield check_inside(path, folder)


def check_inside(path: Path, folder: Path) -> Path:
    """Return the path, unless it is a link that leads out of the folder."""
    if path.resolve().is_relative_to(folder.resolve()):
        return path
    raise UnreadableCode(f"{path} is a link that leads out of {folder}; put the file itself there")


def raise_error(error: OSError) -> None:
    """Raise an error that os.walk would otherwise ignore."""
    raise error
