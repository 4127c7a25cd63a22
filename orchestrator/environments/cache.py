"""Cache of the environments that are made here. No other module knows its paths.

It is `$PLUMBLINE_HOME`, or else `plumbline` in the user's cache:
- `environments/<name>-<key>/` is an environment, complete only with `ready.json`. Its lock and log lie beside it.
- `resolved/<name>-<request>.txt` is the first resolution of requirements.
- `source-<hash>/` leads to the packages that a worker imports.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.files import lock
from orchestrator.files.atomic import read_model, write_model, write_text
from schemas.environment import EnvironmentMarker

MARKER = "ready.json"
FOLDER_NAME = re.compile(r"(?P<name>.+)-(?P<key>[0-9a-f]{16})")


def find_cache_folder(variables: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of this user's environments."""
    if said := variables.get("PLUMBLINE_HOME"):
        return Path(said).absolute()
    return Path(variables.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "plumbline"


def hash_texts(*parts: str) -> str:
    """Hash these texts to sixteen hexadecimal digits."""
    return sha256("\0".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class EnvironmentFolder:
    """Folder of one environment, and the files beside it."""

    folder: Path

    @property
    def name(self) -> str:
        """Return the name that it was made for, without the key."""
        return self.folder.name[:-17]

    @property
    def python(self) -> Path:
        """Return its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def log(self) -> Path:
        """Return its installer's log."""
        return self.folder.with_name(f"{self.folder.name}.log")

    @property
    def lock(self) -> Path:
        """Return its lock, which is exclusive for making it and shared for using it. The file is never removed."""
        return self.folder.with_name(f"{self.folder.name}.lock")

    @property
    def requirements_file(self) -> Path:
        """Return the file of requirements that its installer reads."""
        return self.folder / "requirements.txt"

    def read_marker(self) -> EnvironmentMarker | None:
        """Read its marker, if it is complete and the Python that it was made with still exists."""
        try:
            return read_model(self.folder / MARKER, EnvironmentMarker) if self.python.exists() else None
        except UsageError:
            return None

    def write_marker(self, ready: EnvironmentMarker) -> None:
        """Mark it as complete."""
        # All else must be on the disk first: a loss of power must not leave the marker alone.
        os.sync()
        write_model(self.folder / MARKER, ready)

    def remove_files(self) -> None:
        """Remove it, except the log of its installer."""
        # The marker goes first: what is half removed must not look complete.
        (self.folder / MARKER).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def measure_bytes(self) -> int:
        """Measure its size on the disk. Files shared with an installer's cache count in full."""
        found = {}
        for folder, _, names in os.walk(self.folder):
            for name in names:
                with contextlib.suppress(OSError):
                    status = os.lstat(Path(folder, name))
                    # One file of several names has one inode, and counts once.
                    found[status.st_ino] = 512 * status.st_blocks
        return sum(found.values())


@dataclass(frozen=True, slots=True)
class EnvironmentCache:
    """Folder of all environments that are made here."""

    root: Path

    def locate_folder(self, name: str, digest: str) -> EnvironmentFolder:
        """Return the environment of that key, which need not exist."""
        return EnvironmentFolder(self.root / "environments" / f"{name}-{digest}")

    def list_folders(self) -> Iterator[EnvironmentFolder]:
        """Yield every existing environment, complete or not."""
        for folder in sorted((self.root / "environments").glob("*")):
            if FOLDER_NAME.fullmatch(folder.name) and folder.is_dir():
                yield EnvironmentFolder(folder)

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

    def locate_log(self, name: str) -> Path:
        """Return the installer's log of resolving requirements of that name."""
        return self.root / "resolved" / f"{name}.log"

    def create_folders(self) -> None:
        """Create the folders.

        Raises:
            UsageError: they cannot be written to.
        """
        try:
            for name in ("environments", "resolved"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"cannot keep environments in {self.root}: {error.strerror}; set PLUMBLINE_HOME to another folder"
            ) from error

    def link_worker_packages(self, packages: Path) -> Path:
        """Make a folder in which only this project's two packages can be imported, wherever they are installed."""
        folder = self.root / f"source-{hash_texts(str(packages))}"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("schemas", "workers"):
            # Another process may make the same link at the same time.
            with contextlib.suppress(FileExistsError):
                (folder / name).symlink_to(packages / name)
        return folder


@contextlib.contextmanager
def hold_environments(places: Iterable[EnvironmentFolder]) -> Iterator[None]:
    """Hold these environments, so that nobody removes or remakes them.

    Raises:
        UsageError: one is not complete.
    """
    with contextlib.ExitStack() as stack:
        for place in places:
            try:
                stack.enter_context(lock.hold_shared(place.lock))
            except (lock.LockHeld, OSError) as error:
                raise UsageError(
                    f"the environment {place.folder} is being changed; run again when that is done"
                ) from error
            if place.read_marker() is None:
                raise UsageError(f"the environment {place.folder} was removed just now; run again")
        yield
