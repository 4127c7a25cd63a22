"""The output of commands: one JSON document, or lines for a person."""

import json
import re
from pathlib import Path

from rich.console import Console

from orchestrator.files import atomic
from orchestrator.processes.signals import postpone_signals


def print_json(value: object) -> None:
    """Print one document on standard output, with all characters escaped that a terminal would obey."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    # JSON escapes ASCII control characters, but neither C1 ones nor marks that reverse the direction of text.
    print(re.sub(r"[^\n -~]", lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text))


def print_line(console: Console, line: str) -> None:
    """Print one line, unless it is empty. A terminal gets it broken between words, anything else as it is."""
    if line:
        console.print(line, highlight=False, markup=False, soft_wrap=not console.is_terminal)


def write_file(path: Path, content: bytes) -> None:
    """Write a file, completely or not at all; a signal takes effect after that."""
    with postpone_signals():
        atomic.write_bytes(path, content)
