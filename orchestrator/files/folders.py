"""Folders that are written whole or not at all."""

import contextlib
import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError

# Of Linux, for renameat2.
CURRENT_FOLDER: Final = -100
RENAME_EXCHANGE: Final = 2


def write_contents(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder that only this process knows.

    Raises:
        UsageError: the folder cannot be written to.
    """
    try:
        for name, content in files.items():
            path = folder.joinpath(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot write {error.filename or folder}: {error.strerror}; choose another folder") from error


def exchange_folders(made: Path, target: Path, replaced: Path) -> None:
    """Move a folder into the place of another, which is moved away; if that fails, the other one stays."""
    if not swap_folders(made, target):
        move_folders(made, target, replaced)


def swap_folders(one: Path, other: Path) -> bool:
    """Exchange two folders, so that each name has a folder at any time; return False where no system call does that."""
    swap = getattr(ctypes.CDLL(None), "renameat2", None)
    if sys.platform != "linux" or swap is None:
        return False
    return bool(swap(CURRENT_FOLDER, os.fsencode(one), CURRENT_FOLDER, os.fsencode(other), RENAME_EXCHANGE) == 0)


def move_folders(made: Path, target: Path, replaced: Path) -> None:
    """Move a folder into the place of another one after that was moved away."""
    there = target.exists()
    if there:
        target.rename(replaced)
    try:
        made.rename(target)
    except OSError:
        if there:
            replaced.rename(target)
        raise


@contextlib.contextmanager
def make_folder_beside(target: Path) -> Iterator[tuple[Path, Path]]:
    """Yield a new folder on the disk of another, and a place for what it replaces; both are removed at the end.

    Raises:
        UsageError: there can be none.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        room = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=target.parent))
    except OSError as error:
        raise UsageError(
            f"cannot write to {target.parent}: {error.strerror}; choose another folder with --to"
        ) from error
    try:
        made = room.joinpath(target.name)
        made.mkdir()
        yield made, room.joinpath("replaced")
    finally:
        shutil.rmtree(room, ignore_errors=True)
