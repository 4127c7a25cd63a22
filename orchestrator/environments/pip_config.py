"""The user's settings for pip, and whether uv may install in its place: uv does not read them.

Without their package sources uv would install other builds, of gigabytes. Settings given to uv itself take precedence.

The files and their order follow pip's user guide, "Configuration files".
"""

import configparser
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.files.toml import read_toml

SECTIONS = ("global", "install")
# In pip these variables do not set options of `pip install`.
IGNORED_OPTIONS = ("version", "help", "config-file")
# These change what pip says and checks, but neither what it installs nor from where.
HARMLESS_OPTIONS = {
    "break-system-packages",
    "disable-pip-version-check",
    "no-color",
    "no-input",
    "no-python-version-warning",
    "no-warn-conflicts",
    "no-warn-script-location",
    "progress-bar",
    "quiet",
    "require-virtualenv",
    "root-user-action",
    "verbose",
}
# Settings of uv that name package sources.
UV_SOURCES = ("index", "default-index", "index-url", "extra-index-url", "find-links", "no-index")


@dataclass(frozen=True, slots=True)
class ConfigFolders:
    """Folders in which pip and uv look for their files."""

    home: Path = field(default_factory=Path.home)
    prefix: Path = Path(sys.prefix)
    root: Path = Path("/")

    def list_pip_files(self, variables: Mapping[str, str]) -> list[Path]:
        """Return pip's files: a later one overrides an earlier one."""
        named = variables.get("PIP_CONFIG_FILE", "")
        # pip's convention: the null device switches off all configuration files.
        if named == os.devnull:
            return []
        system = variables.get("XDG_CONFIG_DIRS") or str(self.root.joinpath("etc", "xdg"))
        user = [self.home.joinpath(".pip", "pip.conf"), self.find_user_folder(variables).joinpath("pip", "pip.conf")]
        return [
            *(Path(folder).joinpath("pip", "pip.conf") for folder in system.split(os.pathsep)),
            self.root.joinpath("etc", "pip.conf"),
            *([] if named and Path(named).exists() else user),
            self.prefix.joinpath("pip.conf"),
            *([Path(named)] if named else []),
        ]

    def list_uv_files(self, variables: Mapping[str, str]) -> list[Path]:
        """Return uv's files."""
        if "UV_CONFIG_FILE" in variables:
            return [Path(variables["UV_CONFIG_FILE"])]
        return [
            folder.joinpath("uv", "uv.toml") for folder in (self.root.joinpath("etc"), self.find_user_folder(variables))
        ]

    def find_user_folder(self, variables: Mapping[str, str]) -> Path:
        """Return the folder of the user's configuration."""
        return Path(variables.get("XDG_CONFIG_HOME") or self.home.joinpath(".config"))


def read_pip_settings(variables: Mapping[str, str], places: ConfigFolders) -> dict[str, str]:
    """Read the settings of `pip install` by option: the command's override the general ones, variables override files.

    Raises:
        UsageError: a file cannot be read.
    """
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for path in filter(Path.is_file, places.list_pip_files(variables)):
        for section, options in read_config_file(path).items():
            found[section] |= options
    said = {normalize_option(name[4:]): value for name, value in variables.items() if name.startswith("PIP_") and value}
    merged = found["global"] | found["install"] | said
    return {name: value for name, value in merged.items() if name not in IGNORED_OPTIONS}


def read_config_file(path: Path) -> dict[str, dict[str, str]]:
    """Read the sections of one file that hold for an installation, without empty values."""
    # Raw, as in pip: a `%` in an address or a password must not be interpolated.
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise UsageError(f"pip's configuration {path} cannot be read: {str(error).splitlines()[0]}") from error
    there = [section for section in SECTIONS if parser.has_section(section)]
    return {
        section: {normalize_option(name): value for name, value in parser.items(section) if value} for section in there
    }


def normalize_option(name: str) -> str:
    """Normalize an option's name as pip does."""
    return name.lower().replace("_", "-").removeprefix("--")


def to_pip_variables(settings: Mapping[str, str]) -> dict[str, str]:
    """Convert all settings to variables: pip in another environment does not read the file beside this interpreter."""
    return {f"PIP_{name.upper().replace('-', '_')}": " ".join(value.split()) for name, value in settings.items()}


def list_decisive(settings: Mapping[str, str]) -> list[str]:
    """Return the settings without which an installation may differ, or fail."""
    return sorted(settings.keys() - HARMLESS_OPTIONS)


def has_uv_sources(variables: Mapping[str, str], places: ConfigFolders) -> bool:
    """Return True if uv itself was told where packages come from."""
    if any(f"UV_{name.upper().replace('-', '_')}" in variables for name in UV_SOURCES):
        return True
    files = [read_toml(path) for path in places.list_uv_files(variables) if path.is_file()]
    # The interface that is used has a table of its own, which takes precedence.
    tables = [table for said in files for table in (said, said.get("pip")) if isinstance(table, Mapping)]
    return any(name in table for table in tables for name in UV_SOURCES)
