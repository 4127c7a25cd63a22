"""Texts that no publication may contain: paths, addresses, tokens and names of people. Pure."""

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from orchestrator.machine.fingerprint import RECORDED_VARIABLES
from orchestrator.records.json_schema import build_schema
from schemas.catalog import FRAMEWORKS
from schemas.tuning import TUNINGS
from schemas.workloads import WORKLOADS

# Sites of the frameworks and their sources, which warnings refer to.
PUBLIC_SITES: Final = frozenset(
    {
        "github.com",
        "pytorch.org",
        "docs.pytorch.org",
        "dev-discuss.pytorch.org",
        "tensorflow.org",
        "www.tensorflow.org",
        "docs.jax.dev",
        "jax.readthedocs.io",
        "keras.io",
        "numpy.org",
        "onnxruntime.ai",
        "docs.openvino.ai",
        "docs.python.org",
    }
)

# Organisations of the frameworks and their libraries. Anybody can have another path on these sites.
SHARED_SITES: Final = frozenset({"github.com"})
PUBLIC_OWNERS: Final = frozenset(
    {
        "google",
        "huggingface",
        "jax-ml",
        "keras-team",
        "microsoft",
        "numpy",
        "onnx",
        "openvinotoolkit",
        "openxla",
        "python",
        "pytorch",
        "scipy",
        "tensorflow",
        "triton-lang",
    }
)

# Patterns are bounded, or begin where no character before could begin them. Else a long text takes too long to search.
URL: Final = re.compile(
    r"(?<![a-z])[a-z][a-z0-9+.-]{0,20}://(?P<site>[^\s/'\"<>()\[\]?#]*)(?P<path>[^\s'\"<>()\[\]]*)", re.IGNORECASE
)
# A path begins where no name, fraction or closing bracket ends, so that 1/2, </td> and {cache}/x are none.
PATH: Final = re.compile(r"(?<![\w./<})\]-])/(?=[\w.@])[^\s'\"`:;,|<>()\[\]{}]+")
# Well-known folders are paths wherever they stand, as in -I/usr/include.
ROOTED: Final = re.compile(
    r"/(?:home|root|Users|tmp|var|usr|opt|etc|mnt|srv|private|media)/[^\s'\"`:;,|<>()\[\]{}]*", re.IGNORECASE
)
HOME: Final = re.compile(r"(?<!\w)~[\w-]*/[^\s'\"`:;,|<>()\[\]{}]*")
WINDOWS: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]:\\[^\s'\"]*|\\\\[\w.-]+\\[^\s'\"]*")
# Quotation marks end a path with spaces.
QUOTED: Final = re.compile(
    "|".join(rf"(?<={mark})(?:/|~/|[A-Za-z]:\\)(?=[\w.@])[^{mark}\n]{{0,1000}}(?={mark})" for mark in ("'", '"', "`"))
)
# Options of compilers stand before a path without a space.
OPTION: Final = re.compile(r"(?<=(?<![\w-])-[BFILR])/(?=[\w.@])[^\s'\"`:;,|<>()\[\]{}]+|(?<=-isystem)/[^\s'\"`:;,|<>]+")
# A folder that another machine shares.
SHARE: Final = re.compile(r"(?<![\w:/])//[\w.-]+/[^\s'\"`:;,|<>()\[\]{}]+")
# A label such as numpy@venv.old:eager is no address.
NO_LABEL: Final = rf"(?!(?:{'|'.join(framework.name for framework in FRAMEWORKS)})@[^\s@:]{{1,200}}:\w)"
ADDRESS: Final = re.compile(
    rf"(?<![\w.+-]){NO_LABEL}[\w.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{{2,}}\b", re.ASCII
)
# The form of ssh: a user, a machine and a path.
REMOTE: Final = re.compile(
    rf"(?<![\w.+-]){NO_LABEL}[\w.+-]{{1,64}}@[\w.-]{{1,253}}:[^\s'\"<>()\[\]]{{0,200}}/[^\s'\"<>()\[\]]{{0,1000}}"
)
# Four numbers are the version of a package as well, unless they have a port or belong to a private network.
HOST: Final = re.compile(
    r"(?<![\w.])(?:(?:\d{1,3}\.){3}\d{1,3}:\d{1,5}|(?:192\.168|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d{1,3}){2})(?![\w.]*\w)"
    r"|(?<![\w.-])(?:[a-z0-9-]{1,63}\.){1,8}"
    r"(?:com|net|org|io|dev|ai|edu|cloud|internal|intern|intranet|corp|lan|local|localdomain):\d{2,5}\b"
    r"|(?<![\w.-])[a-z]{0,40}[0-9-][a-z0-9-]{0,40}\.(?:[a-z0-9-]{1,63}\.){0,8}"
    r"(?:internal|intern|intranet|corp|lan|local|localdomain)\b(?!\.\w)",
    re.IGNORECASE,
)
# A UUID, as of a GPU, and the hardware address of a network card.
DEVICE: Final = re.compile(
    r"(?<![\w-])(?:(?:GPU|MIG)-)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-])"
    r"|(?<![\w:])(?:[0-9a-f]{2}:){5}[0-9a-f]{2}(?![\w:])",
    re.IGNORECASE,
)
TOKEN: Final = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|hf_[A-Za-z0-9]{20,}|pypi-[\w-]{30,}"
    r"|sk-[A-Za-z0-9_-]{20,}|(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}|AIza[\w-]{35}|ya29\.[\w-]{20,}"
    r"|GOCSPX-[\w-]{20,}|xox[abprs]-[\w-]{10,}"
    r"|(?:(?<![\w-])eyJ[\w-]{10,}|(?<=-)eyJ[\w-]{10,300})\.eyJ[\w-]{10,}(?:\.[\w-]*)?)"
    r"|-----BEGIN [A-Z ]*KEY-----"
    r"|\b(?:Bearer|Basic)\s+[\w.~+/=-]{16,}"
    r"|\b\w*(?:password|passwd|secret|token|(?:api|private|access)[_-]?key)\s*[=:]\s*['\"]?(?=[^\s'\"]{6})"
    r"(?=\S{0,200}[A-Za-z])[^\s'\"]+",
    re.IGNORECASE,
)

# No text of a record is as long. What is longer takes too long to search.
LONGEST_TEXT: Final = 20_000

# What is found, the text that takes its place, and how it is recognised, in the order of replacement.
PATTERNS: Final[Sequence[tuple[str, str, re.Pattern[str]]]] = (
    ("a token", "removed-token", TOKEN),
    ("an address", "removed-url", URL),
    ("an address", "removed-url", REMOTE),
    ("an e-mail address", "removed-address", ADDRESS),
    ("a device", "removed-device", DEVICE),
    ("an address", "removed-url", HOST),
    ("an absolute path", "removed-path", QUOTED),
    ("an absolute path", "removed-path", OPTION),
    ("an absolute path", "removed-path", SHARE),
    ("an absolute path", "removed-path", WINDOWS),
    ("a path in a home folder", "removed-path", HOME),
    ("an absolute path", "removed-path", ROOTED),
    ("an absolute path", "removed-path", PATH),
)

# Code may refer to papers by their addresses, and divides.
CODE_PATTERNS: Final = tuple(each for each in PATTERNS if each[2] not in (URL, PATH, QUOTED, SHARE))

# Variables that the program records on purpose or sets itself. The value of any other is withheld.
PUBLIC_VARIABLES: Final = frozenset(
    {
        *RECORDED_VARIABLES,
        *(name for framework in FRAMEWORKS for name in framework.variables),
        *(name for tuning in TUNINGS.values() for name in tuning.variables),
        *(name for framework in FRAMEWORKS for caches in framework.caches.values() for name in caches),
    }
)
WITHHELD: Final = "withheld"
# A setting of this form is an environment variable.
VARIABLE_NAME: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]*)+")

# Names of users and machines that tell nothing about anybody.
COMMON_NAMES: Final = frozenset(
    {"admin", "container", "docker", "host", "localhost", "nobody", "root", "runner", "ubuntu", "user", "vagrant"}
)
SHORTEST_NAME: Final = 3


def replace_disclosures(text: str) -> str:
    """Return a text in which neutral words stand for paths, addresses and tokens."""
    for _, word, pattern in PATTERNS:
        text = pattern.sub(functools.partial(keep_public_site, word), text)
    return text


def keep_public_site(word: str, found: re.Match[str]) -> str:
    """Return what takes the place of something found: itself if it is a public site, else the word."""
    return found[0] if is_public_site(found) else word


def is_public_site(found: re.Match[str]) -> bool:
    """Return whether what was found is the address of a public site, and on a shared one of a public owner."""
    if found.re is not URL or (site := found["site"].lower()) not in PUBLIC_SITES:
        return False
    owner = found["path"].lstrip("/").partition("/")[0].lower()
    return site not in SHARED_SITES or owner in PUBLIC_OWNERS


# The records of a run repeat the names of their fields, and most of their texts.
@functools.lru_cache(maxsize=1 << 14)
def find_disclosure(text: str) -> str:
    """Return the kind of the first thing in a text that nobody may publish; empty: there is none."""
    return search_text(text, PATTERNS)


def search_text(text: str, patterns: Sequence[tuple[str, str, re.Pattern[str]]]) -> str:
    """Return the kind of the first thing that one of these patterns finds in a text; empty: there is none."""
    for what, _, pattern in patterns:
        if any(not is_public_site(found) for found in pattern.finditer(text)):
            return what
    return ""


def walk_texts(document: object, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield each text of a JSON document with its place, keys included."""
    if isinstance(document, str):
        yield place, document
    elif isinstance(document, Mapping):
        for name, value in document.items():
            inner = f"{place}.{name}".lstrip(".")
            yield inner, name
            yield from walk_texts(value, inner)
    elif isinstance(document, list):
        for number, value in enumerate(document):
            yield from walk_texts(value, f"{place}.{number}".lstrip("."))


def map_texts(document: object, change: Callable[[str], str]) -> object:
    """Return a JSON document with each of its texts changed, keys included."""
    if isinstance(document, str):
        return change(document)
    if isinstance(document, Mapping):
        return {change(name): map_texts(value, change) for name, value in document.items()}
    return [map_texts(value, change) for value in document] if isinstance(document, list) else document


def select_personal_names(names: Sequence[str]) -> list[str]:
    """Return the names among these that tell who or which machine measured, the longest first.

    A name that is a word of the documents themselves tells nothing: replacing it would change their meaning.
    """
    known = COMMON_NAMES | list_vocabulary()
    found = {name for name in names if len(name) >= SHORTEST_NAME and name.lower() not in known}
    return sorted(found, key=lambda name: (-len(name), name))


@functools.cache
def list_vocabulary() -> frozenset[str]:
    """Return the words of all fields, of their values by name, and of what the program measures."""
    schemas = (build_schema("record"), build_schema("manifest"), build_schema("publication"))
    named = {text for schema in schemas for place, text in walk_texts(schema) if not place.endswith("description")}
    named |= {workload.name for workload in WORKLOADS} | {framework.name for framework in FRAMEWORKS}
    named |= {mode.name for framework in FRAMEWORKS for mode in framework.modes}
    return frozenset(word.lower() for text in named for word in re.findall(r"[A-Za-z0-9]+", text))


def compile_names(names: Sequence[str]) -> re.Pattern[str] | None:
    """Return a pattern of these names as whole words; None without names."""
    said = "|".join(map(re.escape, select_personal_names(names)))
    return re.compile(rf"(?<![A-Za-z0-9])(?:{said})(?![A-Za-z0-9])", re.IGNORECASE) if said else None
