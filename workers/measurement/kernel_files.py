"""Small text files of the kernel."""

from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")


def read_small_file(path: Path) -> str:
    """Read a small file; return an empty string if it does not exist."""
    try:
        return path.read_text()
    except OSError:
        return ""
