"""The reader of a run: each file once, and again only if it has changed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.analysis.derivation.process import derive_processes
from orchestrator.analysis.derivation.run_reader import RunReader
from orchestrator.records import store
from orchestrator.records.store import Store
from schemas.job import Cell
from schemas.record import JobRecord


@pytest.fixture
def place(
    make_cell: Callable[..., Cell], make_records: Callable[..., list[JobRecord]], make_run: Callable[..., Store]
) -> Store:
    return make_run("watched", make_records([(make_cell("torch:eager"), 100.0), (make_cell(), 200.0)], blocks=3))


def test_it_finds_what_the_store_reads_in_the_same_order(place: Store) -> None:
    watching = RunReader(place)
    assert watching.processes == ()
    assert watching.refresh()
    assert list(watching.processes) == derive_processes(place.read_records())
    assert not watching.refresh()


def test_a_file_is_read_again_only_if_it_has_changed(place: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    watching = RunReader(place)
    watching.refresh()
    changed = place.read_records()[2].model_copy(update={"advice": "look at it"})
    place.write_record(changed)
    read, plain = list[str](), store.read_record

    def spy(path: Path) -> JobRecord:
        read.append(path.name)
        return plain(path)

    monkeypatch.setattr(store, "read_record", spy)
    assert watching.refresh()
    assert read == [f"{changed.spec.block:03}-{changed.spec.cell.id}.json"]
    assert list(watching.processes) == derive_processes(place.read_records())


def test_a_record_that_is_gone_is_forgotten(place: Store) -> None:
    watching = RunReader(place)
    watching.refresh()
    place.list_record_files()[0].unlink()
    assert watching.refresh()
    assert list(watching.processes) == derive_processes(place.read_records())


def test_a_damaged_record_is_named_until_it_is_whole(place: Store) -> None:
    watching, path = RunReader(place), place.list_record_files()[0]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    watching.refresh()
    assert len(watching.processes) == 5
    (reason,) = watching.skipped
    assert path.name in reason
    assert str(path.parent) not in reason
    path.write_bytes(whole)
    assert watching.refresh()
    assert (len(watching.processes), watching.skipped) == (6, ())
