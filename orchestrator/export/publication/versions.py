"""The versions of the measuring code whose runs are admitted, by the hash of workers/ and schemas/."""

from typing import Final

from orchestrator.records.provenance import SOURCE, hash_code

# Earlier versions of the code that measures. Add the hash of a version before its code changes, if runs of it are
# published: `publish` names it.
VERSIONS: Final[dict[str, str]] = {
    "93df078745ce36008d6be8a77b79dbb53af66f125e226e5bf1abe40441808fe9": "0.1.0 of 2026-11-29"
}


def is_known_code(code: str) -> bool:
    """Return whether a hash is that of this program's measuring code, or of a listed version."""
    return code in VERSIONS or code == hash_code(SOURCE)
