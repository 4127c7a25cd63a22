"""Indexes of large runs, kept for the user who reads them; no other module knows their paths.

`indexes/<key>.arrow` in the user's folder is the index of the run at the path of which the key is the hash. So whoever
reads a run leaves its folder as it is, and an index that came with a run, from anybody, is none.
"""

import contextlib
import hashlib
import mmap
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from orchestrator.files.cache_folder import find_cache_folder
from orchestrator.files.mapping import map_own
from orchestrator.files.own_files import write_own_file
from orchestrator.records.store import Store

# Bytes of all indexes together, at most, except for the one that was written last.
MAX_KEPT_BYTES: Final = 2 << 30


def locate_index(run: Store) -> Path:
    """Return the path of a run's index, which need not exist."""
    key = hashlib.sha256(str(run.folder.resolve()).encode(errors="surrogateescape")).hexdigest()[:16]
    return find_cache_folder().joinpath("indexes", f"{key}.arrow")


def map_index(run: Store) -> mmap.mmap:
    """Map the index of a run into memory.

    Raises:
        OSError, ValueError: there is none.
    """
    return map_own(locate_index(run))


def keep_index(run: Store, write: Callable[[IO[bytes]], object]) -> None:
    """Keep the index of a run, by a function that writes it; the oldest ones go where there are too many.

    Raises:
        OSError: it cannot be written.
    """
    path = locate_index(run)
    write_own_file(path, write)
    remove_oldest(path.parent, MAX_KEPT_BYTES)


def remove_oldest(folder: Path, most_bytes: int) -> None:
    """Remove the files of a folder that were written first, until all together have at most so many bytes.

    The newest one stays, whatever its size.
    """
    with contextlib.suppress(OSError):  # another process may remove them at the same time
        found = sorted(((path.stat(), path) for path in folder.iterdir()), key=lambda each: -each[0].st_mtime_ns)
        total = 0
        for number, (status, path) in enumerate(found):
            total += status.st_size
            if number and total > most_bytes:
                path.unlink(missing_ok=True)
