"""Reader of the kernel's files below a root, so that a test can be any machine. Unreadable values are None."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
CPU_FOLDER = "sys/devices/system/cpu"


@dataclass(frozen=True, slots=True)
class KernelFiles:
    """Files of a machine, by their names below its root."""

    root: Path = ROOT

    def to_path(self, name: str) -> Path:
        """Return the path of a file."""
        return self.root / name

    def has_file(self, name: str) -> bool:
        """Return True if a file exists."""
        return os.access(self.to_path(name), os.F_OK)

    def read_text(self, name: str) -> str | None:
        """Return a file's text without surrounding space; None if it is empty or cannot be read."""
        try:
            return self.to_path(name).read_text(errors="replace").replace("\0", " ").strip() or None
        except OSError:
            return None

    def read_number(self, name: str) -> int | None:
        """Return a file's natural number; None for other contents."""
        return parse_natural(self.read_text(name))

    def read_lines(self, name: str) -> list[str]:
        """Return a file's lines; none if it cannot be read."""
        return (self.read_text(name) or "").splitlines()

    def read_table(self, name: str, separator: str = ":") -> dict[str, str]:
        """Return a file's names and values. The first value of a repeated name counts."""
        found: dict[str, str] = {}
        for line in self.read_lines(name):
            key, _, value = line.partition(separator)
            found.setdefault(key.strip(), value.strip())
        return found

    def list_names(self, pattern: str) -> list[str]:
        """Return the names that match a pattern, sorted."""
        return sorted(str(path.relative_to(self.root)) for path in self.root.glob(pattern))

    def read_numbers(self, pattern: str) -> list[int]:
        """Return the natural numbers in the files that match a pattern."""
        found = (self.read_number(name) for name in self.list_names(pattern))
        return [number for number in found if number is not None]


def parse_natural(text: str | None) -> int | None:
    """Parse a natural number; None for other texts."""
    # No counter has more than 20 digits, and int() refuses thousands.
    return int(text) if text and re.fullmatch(r"[0-9]{1,20}", text) else None


def parse_bytes(text: str | None) -> int | None:
    """Parse bytes: `48K`, `32M`, `24684092 kB` and plain `512`."""
    parts = re.fullmatch(r"([0-9]{1,20}) ?([kKMG]?)B?", text or "")
    return int(parts[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[parts[2].upper()] if parts else None


def to_utf8(text: str) -> str:
    """Replace bytes of a variable that are not UTF-8, because no document could hold them."""
    return os.fsencode(text).decode(errors="replace")
