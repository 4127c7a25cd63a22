"""Explanation of an installer's failure: the requirement and the reason, out of all that it printed.

The exit status tells of the failure. This module only finds the words, in those of pip and of uv.
"""

import re
from collections.abc import Iterator, Sequence

from packaging.version import InvalidVersion, Version

# Versions that a message names, in place of one that does not exist.
MAX_NEWEST = 3

# Precedes each command in a log.
COMMAND_PREFIX = "\n$ "

PIP_ERROR = re.compile(r"(?m)^\s*ERROR: (.*)")
FAILURE = re.compile(r"(?m)^\s*(?:error:|×) (.*)")
CAUSE = re.compile(r"(?m)^\s*(?:cause:|╰─▶) (.*)")
PIP_NO_VERSION = re.compile(
    r"ERROR: Could not find a version that satisfies the requirement (\S+).*?\(from versions: (.*)\)"
)
UV_NO_VERSION = re.compile(r"Because\s+there\s+is\s+no\s+version\s+of\s+(\S+)")
AVAILABLE = re.compile(r"(?m)^Available versions: (.*)$")
CONSTRAINT = re.compile(r"(?m)^ +The user requested \(constraint\) (.*)$")
MISMATCH = re.compile(r"(?m)^ {4}(\S.*?) from .*:\n +Expected")
CURRENT_REQUIREMENT = re.compile(r"(?m)^\s*(?:Collecting|Processing) (\S+)")
UNREACHABLE = re.compile(
    r"NewConnectionError|NameResolutionError|Name or service not known|failure in name resolution|unreachable|dns error"
    r"|ConnectTimeout|Connection refused|ProxyError|error sending request",
    re.IGNORECASE,
)


def explain_failure(said: str, name: str, status: int) -> str:
    """Explain why the last command in a log failed, and what to do if no package index was reached."""
    # Earlier commands succeeded, and their warnings may look like errors.
    last = f"\n{said}".rpartition(COMMAND_PREFIX)[2].partition("\n")[2].strip()
    end = f"the installer ended with status {status}; its last line: {(last.splitlines() or ['nothing'])[-1]}"
    why = (": ".join(find_reasons(last)) or end)[:300]
    if UNREACHABLE.search(last):
        return f"no package index can be reached ({why}); run `env create {name}` when one can"
    return why


def find_reasons(said: str) -> Iterator[str]:
    """Yield the requirement in progress, the failure and its cause, where logged."""
    if absent := find_absent_version(said):
        yield absent
    elif error := PIP_ERROR.search(said):
        yield cut_first_sentence(error[1])
        yield from (match[1] for match in MISMATCH.finditer(said))
        yield from (f"a constraint in pip's settings asks for {match[1]}" for match in CONSTRAINT.finditer(said))
    elif failure := FAILURE.search(said):
        yield from CURRENT_REQUIREMENT.findall(said)[-1:]
        yield cut_first_sentence(failure[1])
        yield from (cut_first_sentence(match[1]) for match in CAUSE.finditer(said))


def find_absent_version(said: str) -> str:
    """Return that a requirement asks for a version that does not exist, with the newest ones; empty if none does."""
    if found := PIP_NO_VERSION.search(said):
        versions = list(filter(is_version, found[2].split(", ")))
        return describe_absence(found[1], versions) if versions else ""
    found = UV_NO_VERSION.search(said)
    return f"there is no {found[1]}" if found else ""


def list_versions(said: str) -> list[str]:
    """Return the versions in the answer of `pip index versions`; none if it failed."""
    found = AVAILABLE.search(said)
    return list(filter(is_version, found[1].split(", "))) if found else []


def describe_absence(requirement: str, versions: Sequence[str]) -> str:
    """Describe that there is no such version, and name the newest ones."""
    newest = sorted(versions, key=Version, reverse=True)[:MAX_NEWEST]
    verb = "is" if len(newest) == 1 else "are"
    return f"there is no {requirement}; the newest {verb} {', '.join(newest)}"


def is_version(text: str) -> bool:
    """Return whether a text is the version of a package."""
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def cut_first_sentence(text: str) -> str:
    """Return the beginning of a text, up to its first full stop."""
    return text.partition(". ")[0].strip(" .:;")
