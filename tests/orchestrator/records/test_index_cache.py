"""Indexes in the user's folder: one for each path of a run, and not too many."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.records import index_cache
from orchestrator.records.index_cache import keep_index, locate_index, map_index
from orchestrator.records.store import Store


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "home"))


def test_a_run_has_one_index_whatever_the_name_of_its_folder(
    make_run: Callable[..., Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, other = make_run("one", []), make_run("other", [])
    keep_index(run, lambda file: file.write(b"index"))
    monkeypatch.chdir(run.folder.parent)
    for place in (run, Store(Path(run.name)), Store(run.folder.parent / "." / run.name)):
        with map_index(place) as mapped:
            assert mapped.read() == b"index"
    assert locate_index(other) != locate_index(run)
    with pytest.raises(OSError, match="No such file"):
        map_index(other)


def test_the_oldest_go_where_there_are_too_many(
    make_run: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_cache, "MAX_KEPT_BYTES", 25)
    runs = [make_run(f"run-{number}", [], number) for number in range(4)]
    for number, run in enumerate(runs):
        keep_index(run, lambda file: file.write(b"0123456789"))
        os.utime(locate_index(run), (number, number))
    assert [locate_index(run).exists() for run in runs] == [False, False, True, True]


def test_the_newest_stays_whatever_its_size(make_run: Callable[..., Store], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_cache, "MAX_KEPT_BYTES", 5)
    run = make_run("large", [])
    keep_index(run, lambda file: file.write(b"0123456789"))
    assert locate_index(run).is_file()
