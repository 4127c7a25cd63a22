"""Installers of packages: uv, if it is found and nothing but pip's own settings would be lost, otherwise pip."""

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Protocol

from orchestrator.environments import pip_config
from orchestrator.errors import UsageError

Command = Sequence[str]


class Installer(Protocol):
    """Way to resolve requirements and to install the result."""

    @property
    def name(self) -> str:
        """Return its name for a person."""

    @property
    def variables(self) -> Mapping[str, str]:
        """Return the variables that its commands run with."""

    def make_resolve_command(self, python: Path, asked: Path, answer: Path) -> Command:
        """Return the command that resolves requirements for an interpreter into a file."""

    def read_resolution(self, answer: Path) -> tuple[str, ...]:
        """Read the lines of that file as exact versions with hashes."""

    def make_versions_command(self, python: Path, package: str) -> Command | None:
        """Return the command that lists the versions of a package; None: the installer has none."""

    def make_install_command(self, python: Path, pinned: Path) -> Command:
        """Return the command that installs exactly these, with their bytecode, beside an interpreter."""


def make_venv_command(python: str, folder: Path) -> Command:
    """Return the command that makes an environment without packages, even pip: installers work from outside."""
    return [python, "-I", "-m", "venv", "--without-pip", str(folder)]


@dataclass(frozen=True, slots=True)
class Pip:
    """pip as installed beside this program. It runs in the other interpreter."""

    variables: Mapping[str, str]
    name: str = "pip"

    def make_resolve_command(self, python: Path, asked: Path, answer: Path) -> Command:
        """Return the command for a dry run of an installation, with a report."""
        return [*self._make_base_command(python), "--dry-run", "--report", str(answer), "-r", str(asked)]

    def read_resolution(self, answer: Path) -> tuple[str, ...]:
        """Read the report, without addresses: a lock must not contain a host or path."""
        found = json.loads(answer.read_text())["install"]
        # Installers demand hashes for all requirements or for none.
        hashes = [each["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256") for each in found]
        return tuple(
            sorted(
                format_requirement(each, digest if all(hashes) else None)
                for each, digest in zip(found, hashes, strict=True)
            )
        )

    def make_versions_command(self, python: Path, package: str) -> Command:
        """Return the command; a constraint in pip's settings does not affect it."""
        return [*self._make_pip_command(python), "index", "versions", "--disable-pip-version-check", package]

    def make_install_command(self, python: Path, pinned: Path) -> Command:
        """Return the command; nothing is resolved again."""
        return [*self._make_base_command(python), "--no-deps", "--compile", "-r", str(pinned)]

    def _make_base_command(self, python: Path) -> list[str]:
        options = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
        return [*self._make_pip_command(python), "install", *options]

    def _make_pip_command(self, python: Path) -> list[str]:
        return [sys.executable, "-P", "-m", "pip", "--python", str(python)]


def format_requirement(found: Mapping[str, object], digest: str | None) -> str:
    """Format a distribution of pip's report as a requirement. It keeps its address only if requested by it."""
    said, info = found["metadata"], found["download_info"]
    assert isinstance(said, Mapping)
    assert isinstance(info, Mapping)
    name = re.sub(r"[-_.]+", "-", said["name"]).lower()
    exact = f"{name} @ {info['url']}" if found.get("is_direct") else f"{name}=={said['version']}"
    return f"{exact} --hash=sha256:{digest}" if digest else exact


@dataclass(frozen=True, slots=True)
class Uv:
    """uv as found on the PATH, with its own settings."""

    program: str
    variables: Mapping[str, str]
    name: str = "uv"

    def make_resolve_command(self, python: Path, asked: Path, answer: Path) -> Command:
        """Return the command that writes a file of requirements."""
        plain = ["--no-header", "--no-annotate", "--generate-hashes", "--output-file", str(answer)]
        return [self.program, "pip", "compile", "--python", str(python), *plain, str(asked)]

    def read_resolution(self, answer: Path) -> tuple[str, ...]:
        """Read one line for each distribution."""
        # uv continues a requirement with its hashes on further lines.
        joined = answer.read_text().replace("\\\n", " ").splitlines()
        return tuple(sorted(" ".join(each.split()) for each in joined if each.strip()))

    def make_versions_command(self, python: Path, package: str) -> None:
        """Return None: uv names a version that does not exist, but lists none."""

    def make_install_command(self, python: Path, pinned: Path) -> Command:
        """Return the command; nothing is resolved again, and bytecode is compiled, which uv omits by default."""
        # Without bytecode, an import of torch takes a second longer.
        exactly = ["--no-deps", "--compile-bytecode", "-r", str(pinned)]
        return [self.program, "pip", "install", "--python", str(python), *exactly]


def choose_installer(
    variables: Mapping[str, str] = os.environ, places: pip_config.ConfigFolders | None = None
) -> Installer:
    """Choose the installer of this machine.

    Raises:
        UsageError: there is none, or the user's configuration cannot be read or obeyed.
    """
    places = places or pip_config.ConfigFolders()
    # PYTHONPATH and its like would reach the interpreter that the installer runs.
    plain = {name: value for name, value in variables.items() if not name.startswith("PYTHON")}
    said, uv = pip_config.read_pip_settings(variables, places), shutil.which("uv", path=variables.get("PATH"))
    decisive = pip_config.list_decisive(said)
    if uv and (not decisive or pip_config.has_uv_sources(variables, places)):
        return Uv(uv, plain)
    # Setuptools watches who asks for pip in the usual way, and would then let go of `distutils` in this process.
    if PathFinder.find_spec("pip") is not None:
        return Pip(plain | pip_config.to_pip_variables(said))
    advice = f"run {sys.executable} -m ensurepip"
    if uv:
        raise UsageError(
            f"pip is configured for {', '.join(decisive)}, which uv does not read, and pip is not installed; {advice}, "
            "or tell uv where packages come from, such as by UV_DEFAULT_INDEX"
        )
    raise UsageError(f"neither uv nor pip is installed to make environments; {advice}")
