"""How a line and a document are printed."""

import json
import re

from rich.console import Console


def say(console: Console, line: str) -> None:
    """Print one line, if there is one."""
    if line:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def print_json(value: object) -> None:
    """One document on standard output. What a terminal would obey stands there as JSON can write it too: escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    print(re.sub(r"[^\n -~]", lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text))
