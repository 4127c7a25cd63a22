"""Cache of the environments that are made here. No other module knows their paths.

In the user's folder (`files/cache_folder.py`):
- `environments/<name>-<key>/` is an environment, complete only with `ready.json`. Its lock and log lie beside it.
- `resolved/<name>-<request>.txt` is the first resolution of requirements.

Beside them are the indexes of large runs, and single files: the peak rates of the machine, the token of `serve`, and
the script of pages.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from orchestrator.errors import UsageError, check_utf8
from orchestrator.files import lock
from orchestrator.files.atomic import read_model, write_model, write_text
from schemas.environment import EnvironmentMarker

MARKER = "ready.json"
FOLDER_NAME = re.compile(r"(?P<name>.+)-(?P<key>[0-9a-f]{16})")


def hash_texts(*parts: str) -> str:
    """Hash these texts to sixteen hexadecimal digits."""
    return sha256("\0".join(parts).encode()).hexdigest()[:16]


def find_python(folder: Path) -> Path:
    """Return the interpreter of an environment."""
    return folder / "bin" / "python"


def locate_log(folder: Path) -> Path:
    """Return the log of an environment's installer."""
    return folder.with_name(f"{folder.name}.log")


def locate_lock(folder: Path) -> Path:
    """Return an environment's lock: exclusive for making it, shared for using it. The file is never removed."""
    return folder.with_name(f"{folder.name}.lock")


def read_marker(folder: Path) -> EnvironmentMarker | None:
    """Read an environment's marker, if it is complete and the Python that it was made with still exists."""
    try:
        return read_model(folder / MARKER, EnvironmentMarker) if find_python(folder).exists() else None
    except UsageError:
        return None


def write_marker(folder: Path, ready: EnvironmentMarker) -> None:
    """Mark an environment as complete."""
    # All else must be on the disk first: a loss of power must not leave the marker alone.
    os.sync()
    write_model(folder / MARKER, ready)


def remove_environment(folder: Path) -> None:
    """Remove an environment, except the log of its installer."""
    # The marker goes first: what is half removed must not look complete.
    (folder / MARKER).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def measure_bytes(folder: Path) -> int:
    """Measure an environment's size on the disk. Files shared with an installer's cache count in full."""
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                status = os.lstat(Path(parent, name))
                # One file of several names has one inode, and counts once.
                found[status.st_ino] = 512 * status.st_blocks
    return sum(found.values())


@dataclass(frozen=True, slots=True)
class EnvironmentCache:
    """Folder of all environments that are made here."""

    root: Path

    def locate_folder(self, name: str, digest: str) -> Path:
        """Return the folder of the environment of that key, which need not exist."""
        return self.root / "environments" / f"{name}-{digest}"

    def list_folders(self) -> Iterator[Path]:
        """Yield the folder of every existing environment, complete or not."""
        for folder in sorted((self.root / "environments").glob("*")):
            if FOLDER_NAME.fullmatch(folder.name) and folder.is_dir():
                yield folder

    def locate_resolution(self, name: str, request: str) -> Path:
        """Return the file that keeps a resolution."""
        return self.root / "resolved" / f"{name}-{request}.txt"

    def read_resolution(self, name: str, request: str) -> tuple[str, ...]:
        """Read the resolution of these requirements; empty if they have not been resolved yet."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return tuple(self.locate_resolution(name, request).read_text().splitlines())
        return ()

    def write_resolution(self, name: str, request: str, pinned: tuple[str, ...]) -> None:
        """Write the resolution of these requirements, completely or not at all."""
        write_text(self.locate_resolution(name, request), "\n".join(pinned))

    def remove_resolutions(self) -> None:
        """Remove all resolutions, so that requirements are resolved again."""
        for path in self.root.glob("resolved/*.txt"):
            path.unlink(missing_ok=True)

    def locate_resolution_log(self, name: str) -> Path:
        """Return the installer's log of resolving requirements of that name."""
        return self.root / "resolved" / f"{name}.log"

    def create_folders(self) -> None:
        """Create the folders.

        Raises:
            UsageError: they cannot be written to.
        """
        check_utf8(self.root, "set PLUMBLINE_HOME to another folder")
        try:
            for name in ("environments", "resolved"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"cannot keep environments in {self.root}: {error.strerror}; set PLUMBLINE_HOME to another folder"
            ) from error


@contextlib.contextmanager
def hold_environments(folders: Iterable[Path]) -> Iterator[None]:
    """Hold these environments, so that nobody removes or remakes them.

    Raises:
        UsageError: one is not complete.
    """
    with contextlib.ExitStack() as stack:
        for folder in folders:
            try:
                # The lock before the marker: in the other order the environment could vanish in between.
                stack.enter_context(lock.hold_shared(locate_lock(folder)))
            except (lock.LockHeld, OSError) as error:
                raise UsageError(f"the environment {folder} is being changed; run again when that is done") from error
            if read_marker(folder) is None:
                raise UsageError(f"the environment {folder} was removed just now; run again")
        yield
