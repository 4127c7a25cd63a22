"""How to do a run again: the command that was typed, and all that it asked for as a sweep file."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.record import Manifest

PROGRAM: Final = "python -m orchestrator"
BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
"""A key that TOML wants no quotes around."""


def command(manifest: Manifest) -> str:
    """What to type to do it again, in the same random order."""
    said = shlex.join(manifest.command)
    again = manifest.command[:1] == ("sweep",) and manifest.sweep.seed is None
    return f"{PROGRAM} {said}" + (f" --seed {manifest.seed}" if again else "")


def sweep_file(manifest: Manifest) -> str:
    """A sweep file of what was asked, where it is not the default, with the seed that was drawn.

    Whose suite it was is left out: what a suite said is among the axes, and read again it would add to them.
    """
    seeded = manifest.sweep.model_copy(update={"seed": manifest.seed})
    said = seeded.model_dump(mode="json", exclude={"suite"}, exclude_defaults=True, exclude_none=True)
    return "\n".join(table(said))


def table(said: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The lines of one TOML table: its own values, then the tables in it."""
    for name, value in said.items():
        if not tables(value):
            yield f"{key(name)} = {literal(value)}"
    for name, value in said.items():
        path = f"{above}{key(name)}"
        for each in tables(value):
            yield from ("", f"[{path}]" if isinstance(value, Mapping) else f"[[{path}]]", *table(each, f"{path}."))


def tables(value: object) -> list[Mapping[str, Any]]:
    """The tables that a value is written as; none if it stands on a line."""
    found = [value] if isinstance(value, Mapping) else value if isinstance(value, list) else []
    return [each for each in found if isinstance(each, Mapping)]


def key(name: str) -> str:
    """A key as TOML has it."""
    return name if BARE.fullmatch(name) else literal(name)


def literal(value: object) -> str:
    """A value that stands on a line: JSON, which TOML reads as well, but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
