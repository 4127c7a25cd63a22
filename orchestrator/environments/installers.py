"""What installs packages: uv where it is there, otherwise pip. Both obey what the user has told pip."""

import importlib.util
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator.environments import settings
from orchestrator.errors import UsageError

Command = Sequence[str]


class Installer(Protocol):
    """One way to resolve requirements and to install what they come to."""

    @property
    def name(self) -> str:
        """What a person calls it."""

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment that its commands run in."""

    def resolve(self, python: Path, asked: Path, answer: Path) -> Command:
        """Work out what requirements come to for an interpreter, and write that to a file."""

    def resolved(self, answer: Path) -> tuple[str, ...]:
        """The lines of that file as exact versions with hashes."""

    def install(self, python: Path, pinned: Path) -> Command:
        """Install exactly these, with their bytecode, beside an interpreter."""


def make(python: Path, folder: Path) -> Command:
    """Make an environment without any package. It needs no installer of its own: ours installs into it."""
    return [str(python), "-I", "-m", "venv", "--without-pip", str(folder)]


@dataclass(frozen=True, slots=True)
class Pip:
    """pip as it is installed beside this program; it runs in the other interpreter."""

    variables: Mapping[str, str]
    name: str = "pip"

    def resolve(self, python: Path, asked: Path, answer: Path) -> Command:
        """pip works it out as for an installation, and reports what it would install."""
        return [*self._on(python), "--dry-run", "--report", str(answer), "-r", str(asked)]

    def resolved(self, answer: Path) -> tuple[str, ...]:
        """A report says where everything came from, which is left out: no host or path shall be in a lock."""
        found = json.loads(answer.read_text())["install"]
        hashes = [each["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256") for each in found]
        return tuple(
            sorted(line(each, digest if all(hashes) else None) for each, digest in zip(found, hashes, strict=True))
        )

    def install(self, python: Path, pinned: Path) -> Command:
        """Nothing is resolved again."""
        return [*self._on(python), "--no-deps", "--compile", "-r", str(pinned)]

    def _on(self, python: Path) -> list[str]:
        pip = [sys.executable, "-P", "-m", "pip", "--python", str(python)]
        return [*pip, "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]


def line(found: Mapping[str, object], digest: str | None) -> str:
    """One distribution of pip's report as a requirement. Only what was asked for by its address keeps it."""
    said, info = found["metadata"], found["download_info"]
    assert isinstance(said, Mapping)
    assert isinstance(info, Mapping)
    name = re.sub(r"[-_.]+", "-", said["name"]).lower()
    exact = f"{name} @ {info['url']}" if found.get("is_direct") else f"{name}=={said['version']}"
    return f"{exact} --hash=sha256:{digest}" if digest else exact


@dataclass(frozen=True, slots=True)
class Uv:
    """uv, told in its own words what the user has told pip."""

    program: str
    variables: Mapping[str, str]
    without_index: bool = False
    name: str = "uv"

    def resolve(self, python: Path, asked: Path, answer: Path) -> Command:
        """uv writes it down as a requirements file."""
        plain = ["--no-header", "--no-annotate", "--generate-hashes", "--output-file", str(answer)]
        return [self.program, "pip", "compile", "--python", str(python), *self._sources(), *plain, str(asked)]

    def resolved(self, answer: Path) -> tuple[str, ...]:
        """One line for each distribution."""
        joined = answer.read_text().replace("\\\n", " ").splitlines()
        return tuple(sorted(" ".join(each.split()) for each in joined if each.strip()))

    def install(self, python: Path, pinned: Path) -> Command:
        """Nothing is resolved again, and bytecode is compiled, which uv does not do unasked."""
        exactly = ["--no-deps", "--compile-bytecode", "-r", str(pinned)]
        return [self.program, "pip", "install", "--python", str(python), *self._sources(), *exactly]

    def _sources(self) -> list[str]:
        return ["--no-index"] if self.without_index else []


def here(variables: Mapping[str, str] = os.environ, places: settings.Places | None = None) -> Installer:
    """The installer of this machine.

    Raises:
        UsageError: there is none, or pip's configuration cannot be read.
    """
    places = places or settings.Places()
    plain = {name: value for name, value in variables.items() if not name.startswith("PYTHON")}
    said = settings.of_pip(variables, places)
    if uv := shutil.which("uv", path=variables.get("PATH")):
        said = settings.left_to_pip(said, variables, places)
        return Uv(uv, plain | settings.for_uv(said, variables), settings.without_index(said))
    if importlib.util.find_spec("pip") is None:
        raise UsageError(f"neither uv nor pip is here to make environments: {sys.executable} -m ensurepip installs pip")
    return Pip(plain | settings.for_pip(said))
