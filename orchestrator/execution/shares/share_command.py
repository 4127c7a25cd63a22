"""The command that runs a share on a node."""

import shlex
import sys
from collections.abc import Sequence

from orchestrator.errors import UsageError
from orchestrator.execution.shares.cluster_settings import split_words
from orchestrator.records.provenance import SOURCE
from schemas.cluster import Cluster


def make_share_command(cluster: Cluster, node: str = "") -> list[str]:
    """Return the words of the command, none of which a shell on the way changes.

    Raises:
        UsageError: there is no word, or one has characters that a shell would change.
    """
    words = split_words(cluster.program, "program") if cluster.program else make_own_command()
    if not words:
        raise UsageError("program in [cluster] is blank; leave it out, or name the command that starts this on a node")
    words = [*words, "share", *(("--node", node) if node else ())]
    for word in words:
        if shlex.quote(word) != word:
            raise UsageError(
                f"{word!r} has characters that a shell on a node would change; set program in [cluster] to a command "
                "without them"
            )
    return words


def make_own_command() -> list[str]:
    """Return the command that starts this program from this interpreter, under the same paths."""
    found = [sys.executable, "-m", "orchestrator"]
    is_installed = any(part in ("site-packages", "dist-packages") for part in SOURCE.parts)
    return found if is_installed else ["env", f"PYTHONPATH={SOURCE}", *found]


def fill_template(template: Sequence[str], node: str, command: Sequence[str]) -> list[str]:
    """Return the words of a command template: a word `{command}` becomes several, and within a word one text."""
    filled = list[str]()
    for word in template:
        if word == "{command}":
            filled += command
        else:
            filled.append(word.replace("{node}", node).replace("{command}", " ".join(command)))
    return filled
