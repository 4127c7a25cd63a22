"""The only file that knows paths among the environments that are made here.

Below `$PLUMBLINE_HOME`, or else `plumbline` in the user's cache: `environments/<name>-<key>/` is an environment, whole
only if `ready.json` is in it; beside it lie its lock and its installer's log. `resolved/<name>-<request>.txt` is what
requirements came to when they were resolved first. `source-<hash>/` leads to the packages that a worker imports.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from orchestrator import lock
from orchestrator.errors import UsageError
from orchestrator.store import read, write
from schemas.environment import Ready

MARKER = "ready.json"
FOLDER = re.compile(r"(?P<name>.+)-(?P<key>[0-9a-f]{16})")


def root(variables: Mapping[str, str] = os.environ) -> Path:
    """Where the environments of this user are kept."""
    if said := variables.get("PLUMBLINE_HOME"):
        return Path(said).absolute()
    return Path(variables.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "plumbline"


def key(*parts: str) -> str:
    """Sixteen hexadecimal digits that stand for these texts."""
    return sha256("\0".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Place:
    """One environment's folder and what lies beside it."""

    folder: Path

    @property
    def name(self) -> str:
        """What it was made for, without the key."""
        return self.folder.name[:-17]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def log(self) -> Path:
        """What its installer printed."""
        return self.folder.with_name(f"{self.folder.name}.log")

    @property
    def lock(self) -> Path:
        """The file that is locked by who makes it, alone, and by who uses it, together. It is never removed."""
        return self.folder.with_name(f"{self.folder.name}.lock")

    @property
    def pinned(self) -> Path:
        """What is installed into it, as its installer is told."""
        return self.folder / "requirements.txt"

    def ready(self) -> Ready | None:
        """What it is, if it is whole and the Python that it was made with is still there."""
        try:
            return read(self.folder / MARKER, Ready) if self.python.exists() else None
        except UsageError:
            return None

    def finish(self, ready: Ready) -> None:
        """Say that it is whole. First all else is on the disk, so that no loss of power leaves the word alone."""
        os.sync()
        write(self.folder / MARKER, ready)

    def clear(self) -> None:
        """Take it away, first of all the word that it is whole. What its installer printed stays."""
        (self.folder / MARKER).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def size_bytes(self) -> int:
        """What it takes on the disk; files that it shares with an installer's cache count in full."""
        found = {}
        for folder, _, names in os.walk(self.folder):
            for name in names:
                with contextlib.suppress(OSError):
                    status = os.lstat(Path(folder, name))
                    found[status.st_ino] = 512 * status.st_blocks
        return sum(found.values())


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of all environments that are made here."""

    root: Path

    def place(self, name: str, digest: str) -> Place:
        """Where the environment of that key is, or will be."""
        return Place(self.root / "environments" / f"{name}-{digest}")

    def places(self) -> Iterator[Place]:
        """Every environment that there is, whole or not."""
        for folder in sorted((self.root / "environments").glob("*")):
            if FOLDER.fullmatch(folder.name) and folder.is_dir():
                yield Place(folder)

    def resolution(self, name: str, request: str) -> Path:
        """Where it is kept what requirements came to."""
        return self.root / "resolved" / f"{name}-{request}.txt"

    def resolved(self, name: str, request: str) -> tuple[str, ...]:
        """What these requirements came to; nothing, if they have not been resolved yet."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return tuple(self.resolution(name, request).read_text().splitlines())
        return ()

    def keep(self, name: str, request: str, pinned: tuple[str, ...]) -> None:
        """Remember what these requirements came to, whole or not at all."""
        path = self.resolution(name, request)
        beside = path.with_suffix(f".{os.getpid()}.part")
        beside.write_text("\n".join(pinned))
        beside.replace(path)

    def forget(self) -> None:
        """Have all requirements resolved anew when they are needed next."""
        for path in self.root.glob("resolved/*.txt"):
            path.unlink(missing_ok=True)

    def log(self, name: str) -> Path:
        """What the installer printed when it resolved requirements of that name."""
        return self.root / "resolved" / f"{name}.log"

    def prepare(self) -> None:
        """Have the folders.

        Raises:
            UsageError: they cannot be written to.
        """
        try:
            for name in ("environments", "resolved"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"cannot keep environments in {self.root}: {error.strerror}; name another folder in PLUMBLINE_HOME"
            ) from error

    def source(self, packages: Path) -> Path:
        """A folder in which nothing but our own two packages can be imported, wherever they are installed."""
        folder = self.root / f"source-{key(str(packages))}"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("schemas", "workers"):
            with contextlib.suppress(FileExistsError):
                (folder / name).symlink_to(packages / name)
        return folder


@contextlib.contextmanager
def in_use(places: Iterable[Place]) -> Iterator[None]:
    """While entered, nobody removes or remakes these.

    Raises:
        UsageError: one is not whole any more.
    """
    with contextlib.ExitStack() as stack:
        for place in places:
            try:
                stack.enter_context(lock.shared(place.lock))
            except (lock.Held, OSError) as error:
                raise UsageError(
                    f"the environment {place.folder} is being changed; run again when that is done"
                ) from error
            if place.ready() is None:
                raise UsageError(f"the environment {place.folder} was removed just now; run again")
        yield
