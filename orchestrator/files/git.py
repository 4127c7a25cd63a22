"""The commit of a folder in a git checkout, read from git's own files: no program is started.

The layout is that of gitrepository-layout(5): `.git` is a folder, or in a worktree and a submodule a file that names
one. Its `HEAD` is a commit or names a reference, which has a file of its own or a line in `packed-refs`. A worktree
shares its references with the checkout that `commondir` names.
"""

import contextlib
import re
from pathlib import Path
from typing import Final

COMMIT: Final = re.compile(r"[0-9a-f]{40}")
REFERENCE: Final = re.compile(r"refs(?:/(?!\.)[^\s/\\:?*\[~^]+)+")

# References that name each other in a circle must not be followed for ever.
MAX_STEPS: Final = 5
MAX_BYTES: Final = 16 << 20


def read_commit(folder: Path) -> str:
    """Return the commit that a folder's checkout is at, as 40 hexadecimal digits; empty if none can be read.

    Changes that are not committed do not show.
    """
    with contextlib.suppress(OSError, ValueError):
        for place in (folder.resolve(), *folder.resolve().parents):
            if (found := place.joinpath(".git")).exists():
                return _read_head(_follow_pointer(found))
    return ""


def _follow_pointer(place: Path) -> Path:
    """Return the folder of git's files: `.git` itself, or the one that the file of that name names."""
    if place.is_dir():
        return place
    return place.parent.joinpath(_read_text(place).removeprefix("gitdir:").strip())


def _read_head(own: Path) -> str:
    common = own.joinpath(_read_text(own.joinpath("commondir")).strip())
    text = _read_text(own.joinpath("HEAD")).strip()
    for _ in range(MAX_STEPS):
        if COMMIT.fullmatch(text):
            return text
        name = text.removeprefix("ref:").strip()
        if not REFERENCE.fullmatch(name):
            break
        text = _read_reference(name, own, common)
    return ""


def _read_reference(name: str, own: Path, common: Path) -> str:
    for place in (own.joinpath(name), common.joinpath(name)):
        if text := _read_text(place).strip():
            return text
    lines = _read_text(common.joinpath("packed-refs")).splitlines()
    return next((line.partition(" ")[0] for line in lines if line.partition(" ")[2].strip() == name), "")


def _read_text(path: Path) -> str:
    """Return the content of a file; empty if there is none. A pipe in its place would block for ever."""
    if not path.is_file():
        return ""
    with path.open(encoding="utf-8") as file:
        return file.read(MAX_BYTES)
