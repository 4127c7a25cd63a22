"""What the user has told pip, for pip and for uv: indexes, links, certificates, constraints.

uv reads nothing of this by itself. Where pip's configuration says where packages come from, a uv that does not know it
would take others, of gigabytes. Who has told uv itself where packages come from is taken at his word.

The files and their order are those of pip's user guide, "Configuration files".
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
UNSAID = ("version", "help", "config-file")
SOURCES = ("index", "index-url", "extra-index-url", "find-links", "no-index")
"""Settings of uv that say where packages come from."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where pip and uv look for their files."""

    home: Path = field(default_factory=Path.home)
    prefix: Path = Path(sys.prefix)
    root: Path = Path("/")

    def of_pip(self, variables: Mapping[str, str]) -> list[Path]:
        """pip's files: a later one overrides an earlier one."""
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
        """uv's files."""
        if "UV_CONFIG_FILE" in variables:
            return [Path(variables["UV_CONFIG_FILE"])]
        return [folder.joinpath("uv", "uv.toml") for folder in (self.root.joinpath("etc"), self.own(variables))]

    def own(self, variables: Mapping[str, str]) -> Path:
        """The folder of the user's own configuration."""
        return Path(variables.get("XDG_CONFIG_HOME") or self.home.joinpath(".config"))


def of_pip(variables: Mapping[str, str], places: Places) -> dict[str, str]:
    """What holds for `pip install`, by the options' names: the command's own over the general, variables over files.

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
    """The sections of one file that hold for an installation; what is said to be nothing is not said."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise UsageError(f"pip's configuration {path} cannot be read: {str(error).splitlines()[0]}") from error
    there = [section for section in SECTIONS if parser.has_section(section)]
    return {section: {normal(name): value for name, value in parser.items(section) if value} for section in there}


def normal(name: str) -> str:
    """An option's name as pip compares it."""
    return name.lower().replace("_", "-").removeprefix("--")


def for_pip(settings: Mapping[str, str]) -> dict[str, str]:
    """All of it as variables: a file beside the interpreter that runs us is none of another environment's."""
    return {f"PIP_{name.upper().replace('-', '_')}": " ".join(value.split()) for name, value in settings.items()}


def spaced(value: str) -> str:
    """Several values, as most variables of uv take them."""
    return " ".join(value.split())


def listed(value: str) -> str:
    """Several values, as UV_FIND_LINKS takes them."""
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
    """Those of pip's settings that hold for uv too: where uv itself was told of sources, none that names others."""
    told = any(f"UV_{name.upper().replace('-', '_')}" in variables for name in (*SOURCES, "default-index"))
    told = told or any(name in said for said in files_of_uv(variables, places) for name in SOURCES)
    return {name: value for name, value in settings.items() if not (told and name in SOURCES)}


def for_uv(settings: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """The same in uv's words, less the variables that the user has set himself."""
    return {
        theirs: word(settings[ours])
        for ours, theirs, word in TRANSLATED
        if ours in settings and theirs not in variables
    }


def files_of_uv(variables: Mapping[str, str], places: Places) -> Iterator[Mapping[str, object]]:
    """The tables of uv's files in which sources can stand."""
    for path in filter(Path.is_file, places.of_uv(variables)):
        said = document(path)
        yield said
        if isinstance(own := said.get("pip"), Mapping):
            yield own


def without_index(settings: Mapping[str, str]) -> bool:
    """Whether pip was told to ask no index, for which uv has an option and no variable."""
    return bool(re.fullmatch("1|yes|true|on", settings.get("no-index", "").lower()))
