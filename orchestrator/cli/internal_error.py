"""Internal errors: bugs in this program, each as one sentence that a user can copy into a report."""

import os
import tempfile
import traceback
from pathlib import Path


def describe_internal_error(error: Exception) -> str:
    """Describe a bug, its place, and the file that holds its traceback."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return (
        f"this is a bug in plumbline, not your mistake: {what} ({Path(place.filename).name}:{place.lineno}); "
        f"every finished job is kept{save_traceback(error)}"
    )


def save_traceback(error: Exception) -> str:
    """Save the traceback, and return a request to report it; empty if no file can be created."""
    try:
        descriptor, path = tempfile.mkstemp(prefix="plumbline-", suffix=".traceback")
    except OSError:
        return ""
    # A message may hold lone surrogates, which UTF-8 cannot encode.
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        traceback.print_exception(error, file=file)
    return f"; please report it, with {path}"
