"""Models saved to files: their description when written, and its verification when read."""

import hashlib
from pathlib import Path

from schemas.artefact import Artefact


class ArtefactChanged(Exception):
    """An artefact is missing, or differs from what was exported."""


def artefact_from_file(path: Path, written_ns: int = 0) -> Artefact:
    """Describe the artefact in a file, including the time it took to write."""
    return Artefact(path=str(path), sha256=hash_file(path), size_bytes=path.stat().st_size, written_ns=written_ns)


def verify_artefact(artefact: Artefact) -> Path:
    """Check the hash of an artefact and return its path. This reads the file once, so later reads come from memory.

    Raises:
        ArtefactChanged: the file is missing, or holds something else.
    """
    path = Path(artefact.path)
    try:
        found = hash_file(path)
    except OSError as error:
        raise ArtefactChanged(f"cannot read {path}: {error.strerror}; start a new run to export it again") from error
    if found != artefact.sha256:
        raise ArtefactChanged(f"the SHA-256 of {path} has changed since it was exported; start a new run")
    return path


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
