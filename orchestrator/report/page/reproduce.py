"""Reproduction of a run: the command that was typed, and its settings as a sweep file."""

import shlex
from typing import Final

import tomli_w

from schemas.record import Manifest

PROGRAM: Final = "python -m orchestrator"


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
    return tomli_w.dumps(seeded.model_dump(mode="json", exclude={"suite"}, exclude_defaults=True, exclude_none=True))
