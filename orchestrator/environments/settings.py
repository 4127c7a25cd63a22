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
from orchestrator.specfile import document

SECTIONS = ("global", "install")
# In pip these variables do not set options of `pip install`.
UNSAID = ("version", "help", "config-file")
# Settings of uv that name package sources.
SOURCES = ("index", "index-url", "extra-index-url", "find-links", "no-index")


@dataclass(frozen=True, slots=True)
class Places:
    """Folders in which pip and uv look for their files."""

    home: Path = field(default_factory=Path.home)
    prefix: Path = Path(sys.prefix)
    root: Path = Path("/")

    def of_pip(self, variables: Mapping[str, str]) -> list[Path]:
        """Return pip's files: a later one overrides an earlier one."""
        named = variables.get("PIP_CONFIG_FILE", "")
        if named == os.devnull:
            return []
        system = variables.get("XDG_CONFIG_DIRS") or str(self.root.joinpath("etc", "xdg"))
        user = [self.home.joinpath(".pip", "pip.conf"), self.own(variables).joinpath("pip", "pip.conf")]
        return [
            *(Path(folder).joinpath("pip", "pip.conf") for folder in system.split(os.pathsep)),
            self.root.joinpath("etc", "pip.conf"),
            *([] if named and Path(named).exists() else user),
            self.prefix.joinpath("pip.conf"),
            *([Path(named)] if named else []),
        ]

    def of_uv(self, variables: Mapping[str, str]) -> list[Path]:
        """Return uv's files."""
        if "UV_CONFIG_FILE" in variables:
            return [Path(variables["UV_CONFIG_FILE"])]
        return [folder.joinpath("uv", "uv.toml") for folder in (self.root.joinpath("etc"), self.own(variables))]

    def own(self, variables: Mapping[str, str]) -> Path:
        """Return the folder of the user's configuration."""
        return Path(variables.get("XDG_CONFIG_HOME") or self.home.joinpath(".config"))


def of_pip(variables: Mapping[str, str], places: Places) -> dict[str, str]:
    """Read the settings of `pip install` by option: the command's override the general ones, variables override files.

    Raises:
        UsageError: a file cannot be read.
    """
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for path in filter(Path.is_file, places.of_pip(variables)):
        for section, options in read(path).items():
            found[section] |= options
    said = {normal(name[4:]): value for name, value in variables.items() if name.startswith("PIP_") and value}
    merged = found["global"] | found["install"] | said
    return {name: value for name, value in merged.items() if name not in UNSAID}


def read(path: Path) -> dict[str, dict[str, str]]:
    """Read the sections of one file that hold for an installation, without empty values."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise UsageError(f"pip's configuration {path} cannot be read: {str(error).splitlines()[0]}") from error
    there = [section for section in SECTIONS if parser.has_section(section)]
    return {section: {normal(name): value for name, value in parser.items(section) if value} for section in there}


def normal(name: str) -> str:
    """Normalize an option's name as pip does."""
    return name.lower().replace("_", "-").removeprefix("--")


def for_pip(settings: Mapping[str, str]) -> dict[str, str]:
    """Convert all settings to variables: pip in another environment does not read the file beside this interpreter."""
    return {f"PIP_{name.upper().replace('-', '_')}": " ".join(value.split()) for name, value in settings.items()}


def spaced(value: str) -> str:
    """Join several values for most variables of uv."""
    return " ".join(value.split())


def listed(value: str) -> str:
    """Join several values for UV_FIND_LINKS."""
    return ",".join(value.split())


TRANSLATED: Sequence[tuple[str, str, Callable[[str], str]]] = (
    ("index-url", "UV_DEFAULT_INDEX", spaced),
    ("extra-index-url", "UV_INDEX", spaced),
    ("extra-index-url", "UV_INDEX_STRATEGY", lambda _: "unsafe-best-match"),  # pip takes the best of all indexes
    ("find-links", "UV_FIND_LINKS", listed),
    ("constraint", "UV_CONSTRAINT", spaced),
    ("trusted-host", "UV_INSECURE_HOST", spaced),
    ("cert", "SSL_CERT_FILE", str),
    ("proxy", "HTTPS_PROXY", str),
    ("proxy", "HTTP_PROXY", str),
    ("timeout", "UV_HTTP_TIMEOUT", str),
    ("default-timeout", "UV_HTTP_TIMEOUT", str),
)


def left_to_pip(settings: Mapping[str, str], variables: Mapping[str, str], places: Places) -> dict[str, str]:
    """Return pip's settings for uv, without package sources if the user has given uv any."""
    told = any(f"UV_{name.upper().replace('-', '_')}" in variables for name in (*SOURCES, "default-index"))
    told = told or any(name in said for said in files_of_uv(variables, places) for name in SOURCES)
    return {name: value for name, value in settings.items() if not (told and name in SOURCES)}


def for_uv(settings: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """Convert settings to uv's variables, except variables that the user has set."""
    return {
        theirs: word(settings[ours])
        for ours, theirs, word in TRANSLATED
        if ours in settings and theirs not in variables
    }


def files_of_uv(variables: Mapping[str, str], places: Places) -> Iterator[Mapping[str, object]]:
    """Yield the tables of uv's files that may contain package sources."""
    for path in filter(Path.is_file, places.of_uv(variables)):
        said = document(path)
        yield said
        if isinstance(own := said.get("pip"), Mapping):
            yield own


def without_index(settings: Mapping[str, str]) -> bool:
    """Return True if pip must not ask an index; for this uv has an option, but no variable."""
    return bool(re.fullmatch("1|yes|true|on", settings.get("no-index", "").lower()))
