"""An interpreter that tells whether it was started, for what must start none."""

import platform
import sys
from pathlib import Path

DOUBLE = Path(__file__).parents[2] / "doubles" / "interpreter.py"
OTHER_MINOR = next(minor for minor in ("3.11", "3.12", "3.13") if not platform.python_version().startswith(minor))


def make_witness(folder: Path) -> tuple[Path, Path]:
    """Make an interpreter of another version than this one, and return it with the file that it leaves if started."""
    python = folder / f"python{OTHER_MINOR}"
    python.write_text(f"#!{sys.executable} -S\n{DOUBLE.read_text()}")
    python.chmod(0o755)
    return python, folder / "started"
