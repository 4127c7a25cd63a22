"""A folder takes the place of another one whole or not at all, and where the system can do that, without a gap."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.files.folders import exchange_folders, make_folder_beside, move_folders, swap_folders, write_contents


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A new folder, beside one that it is to replace."""
    write_contents(tmp_path / "target", {"old": b"1"})
    write_contents(tmp_path / "made", {"new": b"2"})
    return tmp_path / "made"


def list_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("exchange", [exchange_folders, move_folders])
def test_a_folder_takes_the_place_of_another(made: Path, exchange: Callable[[Path, Path, Path], None]) -> None:
    target = made.with_name("target")
    exchange(made, target, made.with_name("replaced"))
    assert list_names(target) == ["new"]


@pytest.mark.parametrize("exchange", [exchange_folders, move_folders])
def test_a_folder_takes_a_place_in_which_nothing_is(made: Path, exchange: Callable[[Path, Path, Path], None]) -> None:
    target = made.with_name("free")
    exchange(made, target, made.with_name("replaced"))
    assert list_names(target) == ["new"]
    assert not made.exists()


@pytest.mark.parametrize("exchange", [exchange_folders, move_folders])
def test_what_cannot_be_replaced_stays(made: Path, exchange: Callable[[Path, Path, Path], None]) -> None:
    target = made.with_name("target")
    with pytest.raises(OSError, match="No such file"):
        exchange(made.with_name("none"), target, made.with_name("replaced"))
    assert list_names(target) == ["old"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux exchanges two names at once")
def test_two_folders_are_exchanged_in_one_step(made: Path) -> None:
    target = made.with_name("target")
    assert swap_folders(made, target)
    assert (list_names(target), list_names(made)) == (["new"], ["old"])
    # So there is no moment without a folder of this name, in which the old one would have been moved away.
    exchange_folders(made, target, made.with_name("none") / "replaced")
    assert (list_names(target), list_names(made)) == (["old"], ["new"])


def test_nothing_is_left_beside_a_folder_whose_writer_failed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"), make_folder_beside(tmp_path / "target") as (made, _):
        write_contents(made, {"a": b"1", "a/b": b"2"})
    assert list_names(tmp_path) == []
