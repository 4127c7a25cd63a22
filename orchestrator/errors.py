"""Mistakes of the user, and questions without an answer. Each message is one sentence."""

import difflib
from collections.abc import Iterable
from pathlib import Path


class UsageError(Exception):
    """A request that cannot be met as it stands. Ends the program with exit code 2."""


class NewerVersion(UsageError):
    """A file of a run that a newer version has written. It is not damaged."""


class NotMeasured(Exception):
    """A question about the time of a function that has none."""


class Unresolved(Exception):
    """A question that a measurement leaves open. The message says how far it came."""


def check_utf8(path: Path, advice: str) -> None:
    """Check that a path can be written into a record.

    Raises:
        UsageError: its bytes are not UTF-8.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the path {path} is not UTF-8, and no record can name it; {advice}") from error


def unknown_name_error(what: str, name: str, valid: Iterable[str]) -> UsageError:
    """Return an error about an unknown name, with the nearest valid names, or all if none is near."""
    names = sorted(set(valid))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"valid: {', '.join(names)}"
    return UsageError(f"unknown {what} {name!r}; {hint}")
