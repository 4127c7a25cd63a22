"""The needs of a tuning that this machine may lack."""

import ctypes.util
import functools
from pathlib import Path

from schemas.tuning import TUNINGS, Tuning

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def explain_missing_tuning(tuning: Tuning, huge_pages: Path = HUGE_PAGES) -> str:
    """Explain what a tuning needs that this machine lacks; empty if it has it."""
    entry = TUNINGS[tuning]
    if entry.library and not has_library(entry.library):
        return f"{tuning} needs {entry.library}: apt-get install {entry.package}"
    if tuning == "huge-pages" and not offers_huge_pages(huge_pages):
        return f"the kernel gives no huge pages to whoever asks: write madvise to {HUGE_PAGES}"
    return ""


@functools.cache
def has_library(library: str) -> bool:
    """Return whether the loader finds a shared library by its name, such as `libjemalloc.so.2`."""
    stem = library.removeprefix("lib").partition(".so")[0]
    return ctypes.util.find_library(stem) == library


def offers_huge_pages(path: Path) -> bool:
    """Return whether the kernel gives huge pages to processes that ask for them."""
    try:
        return "[never]" not in path.read_text()
    except OSError:
        return False
