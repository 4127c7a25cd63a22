"""Mistakes of the user, and questions without an answer. Each message is one sentence."""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

# The least likeness of a name that somebody may have meant, and the least share of that of the nearest one.
LEAST_LIKENESS: Final = 0.5
NEAR_SHARE: Final = 0.7


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
    near = find_near_names(name, names)
    hint = f"did you mean {' or '.join(near)}?" if near else f"valid: {', '.join(names)}"
    return UsageError(f"unknown {what} {name!r}; {hint}")


def find_near_names(name: str, names: Sequence[str]) -> list[str]:
    """Return the names that somebody may have meant, the nearest first, without those that are clearly further off."""
    near = difflib.get_close_matches(name, names, n=3, cutoff=LEAST_LIKENESS)
    likeness = [difflib.SequenceMatcher(None, each, name).ratio() for each in near]
    return [each for each, found in zip(near, likeness, strict=True) if found >= NEAR_SHARE * likeness[0]]
