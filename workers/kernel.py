"""Small files of the kernel's, as text."""

from pathlib import Path

PROC = Path("/proc")
GROUPS = Path("/sys/fs/cgroup")


def text(path: Path) -> str:
    """What a small file says now; empty if it is not there."""
    try:
        return path.read_text()
    except OSError:
        return ""
