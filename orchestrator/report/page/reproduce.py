"""Reproduction of a run: the command that was typed."""

import shlex
from typing import Final

from schemas.record import Manifest

PROGRAM: Final = "python -m orchestrator"


def format_command(manifest: Manifest) -> str:
    """Return the command that repeats a run in the same random order."""
    said = shlex.join(manifest.command)
    # Without a seed in its settings, a sweep draws a new one and with it another order.
    again = manifest.command[:1] == ("sweep",) and manifest.sweep.seed is None
    return f"{PROGRAM} {said}" + (f" --seed {manifest.seed}" if again else "")
