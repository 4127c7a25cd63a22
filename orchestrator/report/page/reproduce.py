"""Reproduction of a run: the command that was typed, and its settings as a sweep file."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.record import Manifest

PROGRAM: Final = "python -m orchestrator"
# A key that TOML accepts without quotes.
BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


def format_command(manifest: Manifest) -> str:
    """Return the command that repeats a run in the same random order."""
    said = shlex.join(manifest.command)
    # Without a seed in its settings, a sweep draws a new one and with it another order.
    again = manifest.command[:1] == ("sweep",) and manifest.sweep.seed is None
    return f"{PROGRAM} {said}" + (f" --seed {manifest.seed}" if again else "")


def format_sweep_file(manifest: Manifest) -> str:
    """Return a sweep file of all settings that are not the default, with the seed that was drawn.

    The suite is left out: its axes are already among the settings, and reading it again would add to them.
    """
    seeded = manifest.sweep.model_copy(update={"seed": manifest.seed})
    said = seeded.model_dump(mode="json", exclude={"suite"}, exclude_defaults=True, exclude_none=True)
    return "\n".join(format_toml_table(said))


def format_toml_table(said: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield the lines of one TOML table: its plain values, then the tables in it."""
    # TOML assigns a line to the table header above it, so plain values come first.
    for name, value in said.items():
        if not list_subtables(value):
            yield f"{format_key(name)} = {format_literal(value)}"
    for name, value in said.items():
        path = f"{above}{format_key(name)}"
        for each in list_subtables(value):
            yield from (
                "",
                f"[{path}]" if isinstance(value, Mapping) else f"[[{path}]]",
                *format_toml_table(each, f"{path}."),
            )


def list_subtables(value: object) -> list[Mapping[str, Any]]:
    """Return the tables that a value is written as; none if the value fits on a line."""
    found = [value] if isinstance(value, Mapping) else value if isinstance(value, list) else []
    return [each for each in found if isinstance(each, Mapping)]


def format_key(name: str) -> str:
    """Return a key, quoted where TOML requires it."""
    return name if BARE_KEY.fullmatch(name) else format_literal(name)


def format_literal(value: object) -> str:
    """Return a value as JSON, which is also TOML, except for the character DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
