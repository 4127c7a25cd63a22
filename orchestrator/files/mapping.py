"""Files that are mapped into memory. Few commands read such a file, and the others do not wait for the import."""

import mmap
from pathlib import Path

from orchestrator.files.own_files import open_own


def map_own(path: Path) -> mmap.mmap:
    """Map a file that this user alone can have written into memory, where it takes none until it is looked at.

    Raises:
        OSError: there is no such file.
        ValueError: it is empty.
    """
    with open_own(path) as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def forget_pages(mapped: mmap.mmap) -> None:
    """Let go of the pages that were looked at so far; what is looked at again is read again."""
    if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
        mapped.madvise(mmap.MADV_DONTNEED)
