"""Models as files: what they are when they are written, and whether they still are when they are read."""

import hashlib
from pathlib import Path

from schemas.artefact import Artefact


class ArtefactChanged(Exception):
    """An artefact is not what was exported, or not there at all."""


def described(path: Path, written_ns: int = 0) -> Artefact:
    """The artefact in a file, and how long that took to write."""
    return Artefact(path=str(path), sha256=sha256(path), size_bytes=path.stat().st_size, written_ns=written_ns)


def verified(artefact: Artefact) -> Path:
    """The file of an artefact. It has been read once when this returns, and so comes from memory from now on.

    Raises:
        ArtefactChanged: the file is missing, or holds something else.
    """
    path = Path(artefact.path)
    try:
        found = sha256(path)
    except OSError as error:
        raise ArtefactChanged(f"cannot read {path}: {error.strerror}; start a new run to export it again") from error
    if found != artefact.sha256:
        raise ArtefactChanged(f"{path} is not what was exported: its SHA-256 is another; start a new run")
    return path


def sha256(path: Path) -> str:
    """In hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
