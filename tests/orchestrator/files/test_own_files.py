"""Texts of one user: never readable by others on the way, and never taken from them."""

import os
from pathlib import Path

import pytest

from orchestrator.files.own_files import read_own_text, write_own_text


def test_what_was_written_is_read(tmp_path: Path) -> None:
    place = tmp_path / "new" / "text"
    write_own_text(place, "größe\n")
    assert read_own_text(place) == read_own_text(place, secret=True) == "größe\n"
    write_own_text(place, "again")
    assert read_own_text(place) == "again"
    assert [*place.parent.iterdir()] == [place]


def test_nobody_else_can_read_it_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes, plain = list[int](), Path.replace

    def spy(self: Path, target: Path) -> Path:
        modes.append(self.stat().st_mode & 0o777)
        return plain(self, target)

    monkeypatch.setattr(Path, "replace", spy)
    before = os.umask(0)
    try:
        write_own_text(tmp_path / "text", "secret")
    finally:
        os.umask(before)
    assert modes == [0o600]


@pytest.mark.parametrize(
    ("mode", "as_text", "as_secret"),
    [(0o600, "x", "x"), (0o644, "x", ""), (0o640, "x", ""), (0o620, "", ""), (0o602, "", ""), (0o666, "", "")],
)
def test_what_others_may_write_is_not_taken_and_what_they_may_read_is_no_secret(
    tmp_path: Path, mode: int, as_text: str, as_secret: str
) -> None:
    place = tmp_path / "text"
    write_own_text(place, "x")
    place.chmod(mode)
    assert read_own_text(place) == as_text
    assert read_own_text(place, secret=True) == as_secret


def test_a_link_is_not_followed_by_reading_nor_by_writing(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("other")
    place = tmp_path / "text"
    place.symlink_to(tmp_path / "other")
    assert read_own_text(place) == ""
    write_own_text(place, "mine")
    assert (tmp_path / "other").read_text() == "other"
    assert read_own_text(place) == "mine"


def test_what_is_no_text_or_is_missing_is_empty(tmp_path: Path) -> None:
    assert read_own_text(tmp_path / "none") == ""
    (tmp_path / "bytes").write_bytes(b"\xff")
    assert read_own_text(tmp_path / "bytes") == ""
    assert read_own_text(tmp_path) == ""


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    with pytest.raises(OSError, match="text"):
        write_own_text(tmp_path / "text", "x")
    assert [*tmp_path.iterdir()] == [tmp_path / "text"]
