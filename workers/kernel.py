"""Small text files of the kernel."""

from pathlib import Path

PROC = Path("/proc")
GROUPS = Path("/sys/fs/cgroup")


def text(path: Path) -> str:
    """Read a small file; return an empty string if it does not exist."""
    try:
        return path.read_text()
    except OSError:
        return ""
