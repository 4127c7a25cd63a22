"""An environment of its own, in which this project is installed and whatever else a test writes there."""

import json
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path
from site import getsitepackages
from textwrap import dedent
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Installation:
    """Its folder, and how to use it."""

    folder: Path

    @property
    def packages(self) -> Path:
        (found,) = self.folder.glob("lib/python*/site-packages")
        return found

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.packages / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(self.folder / "bin" / "python"), "-P", "-m", "orchestrator", *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def says(self, *arguments: str) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.run(*arguments, "--json").stdout)
        return said


def install(folder: Path, files: dict[str, str]) -> Installation:
    """Make one, with these files beside our own packages."""
    venv.create(folder, symlinks=True)
    made = Installation(folder)
    made.write({"ours.pth": "\n".join([str(ROOT), *getsitepackages()]), **files})
    return made
