import os
from pathlib import Path

import pytest

from orchestrator.environments.cache import (
    MARKER,
    EnvironmentCache,
    find_python,
    hash_texts,
    hold_environments,
    locate_lock,
    locate_log,
    measure_bytes,
    read_marker,
)
from orchestrator.errors import UsageError
from orchestrator.files import lock
from tests.orchestrator.environments.conftest import RecordedProvisioner, make_definition


@pytest.fixture
def folder(home: EnvironmentCache) -> Path:
    home.create_folders()
    return home.locate_folder("tensorflow@2.20", hash_texts("x"))


def test_a_place_has_its_name_and_its_key_in_its_folder(folder: Path) -> None:
    assert folder.name == f"tensorflow@2.20-{hash_texts('x')}"
    assert {locate_lock(folder).parent, locate_log(folder).parent} == {folder.parent}


def test_a_key_depends_on_every_part_and_where_it_ends() -> None:
    assert len({hash_texts("a", "b"), hash_texts("ab"), hash_texts("a", "b", ""), hash_texts("b", "a")}) == 4


@pytest.mark.parametrize("text", ["", "{", "{}", '{"schema_version": 99}'])
def test_what_is_no_marker_of_this_version_makes_nothing_ready(folder: Path, text: str) -> None:
    find_python(folder).parent.mkdir(parents=True)
    find_python(folder).touch()
    (folder / MARKER).write_text(text)
    assert read_marker(folder) is None


def test_only_folders_with_a_key_are_environments(home: EnvironmentCache, folder: Path) -> None:
    folder.mkdir()
    folder.with_name("something else").mkdir()
    locate_lock(folder).touch()
    assert list(home.list_folders()) == [folder]


def test_a_home_that_cannot_be_written_to_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot keep environments in .*file: .*; set PLUMBLINE_HOME to another"):
        EnvironmentCache(tmp_path / "file").create_folders()


def test_what_requirements_came_to_is_kept_by_name_and_request(home: EnvironmentCache) -> None:
    home.create_folders()
    assert home.read_resolution("tiny", hash_texts("1")) == ()
    home.write_resolution("tiny", hash_texts("1"), ("a==1", "b==2"))
    assert home.read_resolution("tiny", hash_texts("1")) == ("a==1", "b==2")
    assert home.read_resolution("tiny", hash_texts("2")) == home.read_resolution("tin", hash_texts("1")) == ()
    home.remove_resolutions()
    assert home.read_resolution("tiny", hash_texts("1")) == ()


def test_a_file_that_two_names_share_counts_once(folder: Path) -> None:
    folder.mkdir()
    (folder / "one").write_bytes(b"x" * 100_000)
    os.link(folder / "one", folder / "two")
    assert 100_000 <= measure_bytes(folder) < 150_000


@pytest.mark.long
def test_while_environments_are_in_use_nobody_has_one_alone(made: RecordedProvisioner) -> None:
    folder = made.folder(make_definition())
    with (
        hold_environments([folder]),
        hold_environments([folder]),
        pytest.raises(lock.LockHeld),
        lock.hold_exclusive(locate_lock(folder), "me"),
    ):
        pass
    with (
        lock.hold_exclusive(locate_lock(folder), "me"),
        pytest.raises(UsageError, match="is being changed"),
        hold_environments([folder]),
    ):
        pass


def test_one_that_was_removed_meanwhile_is_not_used(folder: Path) -> None:
    with pytest.raises(UsageError, match="was removed just now; run again"), hold_environments([folder]):
        pass
