"""The versions of the measuring code whose runs are admitted, by the hash of workers/ and schemas/."""

from typing import Final

from orchestrator.records.provenance import SOURCE, hash_code

# Earlier versions of the code that measures. Add the hash of a version before its code changes, if runs of it are
# published: `publish` names it.
VERSIONS: Final[dict[str, str]] = {
    "8e921d98eca2a6174dd8eaa8df4609d8239588a8f0980a39351595344005f02c": "0.1.0 of 2026-11-29",
    "4ed64f4b3a0c07092305d12ad8b9cbc09053a9913b940a7dee98fcf18afbd552": "0.1.0 of 2026-11-30",
    "5628229df9c2d8269a4eed6269d90187723a9e10b474f381a468df3956a26593": "0.1.0 of 2026-11-30, with tunings",
}


def is_known_code(code: str) -> bool:
    """Return whether a hash is that of this program's measuring code, or of a listed version."""
    return code in VERSIONS or code == hash_code(SOURCE)
