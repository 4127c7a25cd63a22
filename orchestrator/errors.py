"""The operator's mistakes. Each message is one sentence that names the place and says what to do."""

import difflib
from collections.abc import Iterable


class UsageError(Exception):
    """What was asked cannot be done as it was asked. Ends the program with exit code 2."""


def unknown(what: str, name: str, valid: Iterable[str]) -> UsageError:
    """An unknown name, with the nearest valid ones, or all of them when none is near."""
    names = sorted(set(valid))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"valid: {', '.join(names)}"
    return UsageError(f"unknown {what} {name!r}; {hint}")
