"""Files that are mapped into memory take none until they are looked at, and give it back."""

import sys
from pathlib import Path

import pytest

from orchestrator.files.mapping import forget_pages, map_own

SIZE = 8 << 20


def read_mapped_bytes() -> int:
    """Return how much of the files that this process has mapped is in its memory."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssFile"))
    return int(line.split()[1]) << 10


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much of a mapped file is in memory")
def test_pages_are_in_memory_from_the_first_look_until_they_are_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "index"
    file.write_bytes(b"plumb" * (SIZE // 5))
    with map_own(file) as mapped:
        before = read_mapped_bytes()
        assert mapped.find(b"no such word") == -1
        looked_at = read_mapped_bytes()
        forget_pages(mapped)
        assert looked_at - before > SIZE // 2
        assert looked_at - read_mapped_bytes() > SIZE // 2
        assert mapped.read() == file.read_bytes()


def test_an_empty_file_cannot_be_mapped(tmp_path: Path) -> None:
    (tmp_path / "index").touch()
    with pytest.raises(ValueError, match="empty"):
        map_own(tmp_path / "index")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "index").write_bytes(b"index")
    (tmp_path / "link").symlink_to(tmp_path / "index")
    with pytest.raises(OSError, match="link"):
        map_own(tmp_path / "link")


def test_a_file_that_others_may_have_changed_is_not_mapped(tmp_path: Path) -> None:
    (tmp_path / "index").write_bytes(b"index")
    (tmp_path / "index").chmod(0o664)
    with pytest.raises(PermissionError, match="others may have changed"):
        map_own(tmp_path / "index")
