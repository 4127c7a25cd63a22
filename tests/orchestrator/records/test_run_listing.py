"""A list of runs that is kept is that of the folder at any time."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.records import store
from orchestrator.records.run_listing import RunListing
from orchestrator.records.store import Store


@pytest.fixture
def runs(make_run: Callable[..., Store]) -> list[Store]:
    return [make_run(f"run-{number}", [], number) for number in range(3)]


def settle(root: Path) -> None:
    """Let the folder have changed long ago."""
    os.utime(root, ns=(0, time.time_ns() - 3_600_000_000_000))


def test_it_lists_what_the_store_lists(runs: list[Store]) -> None:
    root = runs[0].folder.parent
    (root / "no-run").mkdir()
    (root / "file").touch()
    assert RunListing(root).list_stores() == store.list_own_stores(root) == runs


def test_new_removed_and_linked_runs_are_seen(
    runs: list[Store], make_run: Callable[..., Store], tmp_path: Path
) -> None:
    root = runs[0].folder.parent
    settle(root)
    listing = RunListing(root)
    assert listing.list_stores() == listing.list_stores() == runs
    new = make_run("new", [], 9)
    assert listing.list_stores() == [*runs, new]
    new.folder.rename(tmp_path / "elsewhere")
    new.folder.symlink_to(tmp_path / "elsewhere")
    assert listing.list_stores() == runs
    runs[0].folder.rename(tmp_path / "gone")
    assert listing.list_stores() == runs[1:]


def test_a_folder_becomes_a_run_with_its_manifest(runs: list[Store]) -> None:
    root = runs[0].folder.parent
    begun = Store(root / "20250102-000000-begun")
    begun.folder.mkdir()
    settle(root)
    listing = RunListing(root)
    assert listing.list_stores() == runs
    begun.write_manifest(runs[0].read_manifest())
    settle(root)
    assert listing.list_stores() == [*runs, begun]


def test_a_folder_that_has_not_changed_is_not_listed_again(runs: list[Store], monkeypatch: pytest.MonkeyPatch) -> None:
    root = runs[0].folder.parent
    settle(root)
    listing = RunListing(root)
    listing.list_stores()
    monkeypatch.setattr(Path, "iterdir", lambda path: pytest.fail(f"{path} was listed"))
    assert listing.list_stores() == runs


def test_a_change_within_the_same_tick_of_the_clock_as_the_listing_is_seen(runs: list[Store]) -> None:
    root = runs[0].folder.parent
    now_ns = time.time_ns()
    os.utime(root, ns=(now_ns, now_ns))
    listing = RunListing(root)
    assert listing.list_stores() == runs
    new = Store(root / "20250102-000000-new")
    new.folder.mkdir()
    new.write_manifest(runs[0].read_manifest())
    os.utime(root, ns=(now_ns, now_ns))
    assert listing.list_stores() == [*runs, new]


def test_a_folder_that_is_not_there_has_no_runs(tmp_path: Path) -> None:
    assert RunListing(tmp_path / "none").list_stores() == []
