"""Why an installer failed: which requirement, and its own reason, out of all that it has printed.

That it failed is known from its status. This only finds the words for it, in those of pip and of uv.
"""

import re
from collections.abc import Iterator

COMMAND = "\n$ "
"""Before each command in a log."""

ERROR = re.compile(r"(?m)^\s*ERROR: (.*)")
FAILED = re.compile(r"(?m)^\s*(?:error:|×) (.*)")
CAUSE = re.compile(r"(?m)^\s*(?:cause:|╰─▶) (.*)")
MISMATCH = re.compile(r"(?m)^ {4}(\S.*?) from .*:\n +Expected")
AT_WORK = re.compile(r"(?m)^\s*(?:Collecting|Processing) (\S+)")
UNREACHABLE = re.compile(
    r"NewConnectionError|NameResolutionError|Name or service not known|failure in name resolution|unreachable|dns error"
    r"|ConnectTimeout|Connection refused|ProxyError|error sending request",
    re.IGNORECASE,
)


def explained(said: str, name: str, status: int) -> str:
    """Why the last command in a log failed, and what can be done about it if no index was reached."""
    last = f"\n{said}".rpartition(COMMAND)[2].partition("\n")[2].strip()
    end = f"the installer ended with status {status}, and said last: {(last.splitlines() or ['nothing'])[-1]}"
    why = (": ".join(reasons(last)) or end)[:300]
    if UNREACHABLE.search(last):
        return f"no package index can be reached ({why}); when there is one, `env create {name}` makes it"
    return why


def reasons(said: str) -> Iterator[str]:
    """What was at work, what failed, and why, as far as these are told."""
    if error := ERROR.search(said):
        yield first_sentence(error[1])
        yield from (match[1] for match in MISMATCH.finditer(said))
    elif failure := FAILED.search(said):
        yield from AT_WORK.findall(said)[-1:]
        yield first_sentence(failure[1])
        yield from (first_sentence(match[1]) for match in CAUSE.finditer(said))


def first_sentence(text: str) -> str:
    """The beginning of a text, up to its first full stop."""
    return text.partition(". ")[0].strip(" .:;")
