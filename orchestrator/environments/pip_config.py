"""The user's settings for pip, as pip and uv take them: indexes, links, certificates, constraints.

uv does not read these settings. Without their package sources it would install other builds, of gigabytes. Settings
given to uv directly take precedence.

The files and their order follow pip's user guide, "Configuration files".
"""

import configparser
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.files.toml import read_toml

SECTIONS = ("global", "install")
# In pip these variables do not set options of `pip install`.
IGNORED_OPTIONS = ("version", "help", "config-file")
# Settings of uv that name package sources.
SOURCE_OPTIONS = ("index", "index-url", "extra-index-url", "find-links", "no-index")


@dataclass(frozen=True, slots=True)
class ConfigFolders:
    """Folders in which pip and uv look for their files."""

    home: Path = field(default_factory=Path.home)
    prefix: Path = Path(sys.prefix)
    root: Path = Path("/")

    def list_pip_files(self, variables: Mapping[str, str]) -> list[Path]:
        """Return pip's files: a later one overrides an earlier one."""
        named = variables.get("PIP_CONFIG_FILE", "")
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


def join_with_spaces(value: str) -> str:
    """Join several values for most variables of uv."""
    return " ".join(value.split())


def join_with_commas(value: str) -> str:
    """Join several values for UV_FIND_LINKS."""
    return ",".join(value.split())


UV_VARIABLES: Sequence[tuple[str, str, Callable[[str], str]]] = (
    ("index-url", "UV_DEFAULT_INDEX", join_with_spaces),
    ("extra-index-url", "UV_INDEX", join_with_spaces),
    ("extra-index-url", "UV_INDEX_STRATEGY", lambda _: "unsafe-best-match"),  # pip takes the best of all indexes
    ("find-links", "UV_FIND_LINKS", join_with_commas),
    ("constraint", "UV_CONSTRAINT", join_with_spaces),
    ("trusted-host", "UV_INSECURE_HOST", join_with_spaces),
    ("cert", "SSL_CERT_FILE", str),
    ("proxy", "HTTPS_PROXY", str),
    ("proxy", "HTTP_PROXY", str),
    ("timeout", "UV_HTTP_TIMEOUT", str),
    ("default-timeout", "UV_HTTP_TIMEOUT", str),
)


def select_for_uv(settings: Mapping[str, str], variables: Mapping[str, str], places: ConfigFolders) -> dict[str, str]:
    """Return pip's settings for uv, without package sources if the user has given uv any."""
    told = any(f"UV_{name.upper().replace('-', '_')}" in variables for name in (*SOURCE_OPTIONS, "default-index"))
    told = told or any(name in said for said in read_uv_tables(variables, places) for name in SOURCE_OPTIONS)
    return {name: value for name, value in settings.items() if not (told and name in SOURCE_OPTIONS)}


def to_uv_variables(settings: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """Convert settings to uv's variables, except variables that the user has set."""
    return {
        theirs: word(settings[ours])
        for ours, theirs, word in UV_VARIABLES
        if ours in settings and theirs not in variables
    }


def read_uv_tables(variables: Mapping[str, str], places: ConfigFolders) -> Iterator[Mapping[str, object]]:
    """Yield the tables of uv's files that may contain package sources."""
    for path in filter(Path.is_file, places.list_uv_files(variables)):
        said = read_toml(path)
        yield said
        if isinstance(own := said.get("pip"), Mapping):
            yield own


def is_index_disabled(settings: Mapping[str, str]) -> bool:
    """Return True if pip must not ask an index; for this uv has an option, but no variable."""
    return bool(re.fullmatch("1|yes|true|on", settings.get("no-index", "").lower()))
