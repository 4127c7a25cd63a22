"""The kernel's files below a root, so that a test can be any machine. What cannot be read is None."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
CPUS = "sys/devices/system/cpu"


@dataclass(frozen=True, slots=True)
class Files:
    """Files of a machine, by their names below its root."""

    root: Path = ROOT

    def path(self, name: str) -> Path:
        """Where a file is."""
        return self.root / name

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return os.access(self.path(name), os.F_OK)

    def text(self, name: str) -> str | None:
        """What a file says, without space around it; None if it says nothing or cannot be read."""
        try:
            return self.path(name).read_text(errors="replace").replace("\0", " ").strip() or None
        except OSError:
            return None

    def number(self, name: str) -> int | None:
        """What a file says, if that is a natural number."""
        return natural(self.text(name))

    def lines(self, name: str) -> list[str]:
        """A file's lines; none if it cannot be read."""
        return (self.text(name) or "").splitlines()

    def table(self, name: str, separator: str = ":") -> dict[str, str]:
        """A file of names and values; the first value where a name comes again."""
        found: dict[str, str] = {}
        for line in self.lines(name):
            key, _, value = line.partition(separator)
            found.setdefault(key.strip(), value.strip())
        return found

    def names(self, pattern: str) -> list[str]:
        """The names that fit a pattern."""
        return sorted(str(path.relative_to(self.root)) for path in self.root.glob(pattern))

    def numbers(self, pattern: str) -> list[int]:
        """What the files that fit a pattern say, as far as that is natural numbers."""
        found = (self.number(name) for name in self.names(pattern))
        return [number for number in found if number is not None]


def natural(text: str | None) -> int | None:
    """A natural number; None if the text is none."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,20}", text) else None


def size(text: str | None) -> int | None:
    """Bytes: `48K`, `32M`, `24684092 kB` and plain `512`."""
    parts = re.fullmatch(r"([0-9]{1,20}) ?([kKMG]?)B?", text or "")
    return int(parts[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[parts[2].upper()] if parts else None


def utf8(text: str) -> str:
    """A variable's value; bytes of it that are no text are replaced, or no document could hold it."""
    return os.fsencode(text).decode(errors="replace")
