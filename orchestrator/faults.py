"""Mistakes of this program itself, as one sentence that whoever reports them can copy."""

import os
import tempfile
import traceback
from pathlib import Path


def described(error: Exception) -> str:
    """What happened and where, and the file in which the whole of it is kept."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return (
        f"this is a mistake in plumbline, not yours: {what} ({Path(place.filename).name}:{place.lineno}); "
        f"every job that had ended is kept{kept(error)}"
    )


def kept(error: Exception) -> str:
    """Where the traceback lies now; nothing where no file can be made."""
    try:
        descriptor, path = tempfile.mkstemp(prefix="plumbline-", suffix=".traceback")
    except OSError:
        return ""
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        traceback.print_exception(error, file=file)
    return f"; please report it, with {path}"
