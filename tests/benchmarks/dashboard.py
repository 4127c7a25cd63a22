"""Picture of a real sweep's dashboard for the README: `python tests/benchmarks/dashboard.py PICTURE.svg`.

The default sweep runs on a terminal of 80 columns and 24 lines. The picture shows the terminal at the beginning of the
given block, by default the seventh. The script prints the final output of the sweep.
"""

import re
import sys
from pathlib import Path

from pyte.screens import Char
from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.orchestrator.terminal import Terminal

BLOCK = 7
LONGEST_S = 1800.0


def main(picture: Path, block: int = BLOCK) -> None:
    """Run the sweep and write the picture."""
    with Terminal([sys.executable, "-m", "orchestrator", "sweep"], Path.cwd(), patience_s=LONGEST_S) as terminal:
        terminal.until(lambda text: re.search(rf"block {block} of", text) is not None)
        console = Console(record=True, width=80, file=Path("/dev/null").open("w"))  # noqa: SIM115 (as long as this runs)
        for line in terminal.characters:
            console.print(Text.assemble(*((char.data, style(char)) for char in line)), soft_wrap=True)
        console.save_svg(str(picture), title="python -m orchestrator sweep")
        terminal.ended()
        print(terminal.said.decode(errors="replace").rpartition("\x1b[2K")[2])


def style(char: Char) -> Style:
    """Return the style in which a terminal shows a character."""
    named = {"default": None, "brown": "yellow"}.get(char.fg, char.fg.replace("bright", "bright_"))
    colour = f"#{char.fg}" if re.fullmatch(r"[0-9a-f]{6}", char.fg) else named
    return Style(color=colour, bold=char.bold, italic=char.italics)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
