"""The library: runs are read once, and what grows is seen."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.records import store
from orchestrator.records.store import Store
from orchestrator.report.server.library import MAX_OPEN_RUNS, PAUSE_PER_COST, Library, OpenRun
from schemas.job import Cell
from schemas.machine_type import identify_type
from schemas.record import JobRecord

MakeRun = Callable[..., Store]
MakeRecords = Callable[..., list[JobRecord]]


@pytest.fixture
def library(place: Store) -> Library:
    return Library(place.folder.parent)


def look_again(found: OpenRun) -> None:
    """Look at a run's folder again, as if some time had passed."""
    found.looked_s = found.computed_s = -1e9
    found.refresh()


@contextmanager
def writing(place: Store) -> Iterator[None]:
    """Hold the lock of a run as a sweep does that writes to it."""
    with place.hold_lock(f"{os.getpid()} mark"):
        yield


def test_an_entry_says_what_a_run_is(library: Library, place: Store) -> None:
    (entry,) = library.list_entries()
    assert entry.name == place.name
    assert (entry.state, entry.cells, entry.modes, entry.workloads) == (
        "finished",
        2,
        "torch:eager, torch:script",
        "mlp backward",
    )
    assert entry.machine == identify_type(place.read_manifest().host).label
    assert entry.reason == ""


@pytest.mark.parametrize(
    ("searched", "found"),
    [("", 2), ("torch", 1), ("TORCH mlp", 1), ("torch numpy", 0), ("second", 1), ("finished", 2), ("a cpu", 2)],
)
def test_a_search_finds_the_runs_with_all_its_words(
    library: Library,
    make_cell: Callable[..., Cell],
    make_records: MakeRecords,
    make_run: MakeRun,
    searched: str,
    found: int,
) -> None:
    make_run("second", make_records([(make_cell("numpy:eager"), 1000.0)]), 60)
    assert len(library.list_entries(searched)) == found


def test_the_newest_run_comes_first(library: Library, make_run: MakeRun) -> None:
    make_run("later", [], 3600)
    assert [entry.name[16:] for entry in library.list_entries()] == ["later", "first"]


def test_a_damaged_manifest_is_named_with_its_reason_and_hides_no_other_run(
    library: Library, place: Store, make_run: MakeRun
) -> None:
    damaged = make_run("damaged", [], 60)
    (damaged.folder / "manifest.json").write_text("{")
    bad, good = library.list_entries()
    assert good.name == place.name
    assert bad.name == damaged.name
    assert "manifest.json" in bad.reason
    damaged.write_manifest(place.read_manifest())
    assert library.list_entries()[0].reason == ""


def test_a_manifest_is_read_again_only_if_it_has_changed(
    library: Library, place: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.list_entries()
    monkeypatch.setattr(Store, "read_manifest", lambda _: pytest.fail("read again"))
    assert library.list_entries()[0].state == "finished"
    assert library.list_entries()[0].name == place.name


def test_a_run_is_running_while_the_process_that_its_lock_names_lives(library: Library, place: Store) -> None:
    with writing(place):
        assert library.list_entries()[0].state == "running"
    assert library.list_entries()[0].state == "finished"
    # A process that was killed leaves its note, and its number may be another process's by now.
    (place.folder / ".lock").write_text(f"{os.getpid()} mark")
    assert library.list_entries()[0].state == "finished"
    place.write_manifest(place.read_manifest().model_copy(update={"finished": False}))
    assert library.list_entries()[0].state == "unfinished"


def test_the_cores_of_running_sweeps_are_busy_and_those_of_others_are_not(library: Library, place: Store) -> None:
    place.write_manifest(place.read_manifest().model_copy(update={"cores": (1, 3)}))
    assert library.list_busy_cores() == set()
    with writing(place):
        assert library.list_busy_cores() == {1, 3}


@pytest.mark.parametrize("name", ["", "..", "../runs", "first", "20250101-120000-first/jobs", "/etc", "latest"])
def test_only_the_whole_name_of_a_run_opens_it(library: Library, name: str) -> None:
    with pytest.raises(UsageError, match="there is no run"):
        library.open_run(name)


def test_a_link_among_the_runs_leads_nowhere(library: Library, place: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    place.folder.rename(outside)
    place.folder.symlink_to(outside)
    assert library.list_entries() == []
    with pytest.raises(UsageError, match="there is no run"):
        library.open_run(place.name)


def test_results_are_those_of_the_run(library: Library, place: Store) -> None:
    found = library.open_run(place.name)
    (comparison,) = found.run.comparisons
    assert comparison.verdict == "FASTER"
    assert comparison.ratio.estimate == pytest.approx(1 / 3, rel=0.01)
    assert found.writer is None


def test_new_records_change_the_results_of_an_open_run_and_the_old_ones_are_not_read_again(
    library: Library, place: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = place.read_records()
    late = [record for record in records if record.spec.block > 6]
    for record in late:
        place.log_path(record.spec).with_name(f"{record.spec.block:03}-{record.spec.cell.id}.json").unlink()
    found = library.open_run(place.name)
    assert (found.run.blocks, found.revision) == (6, 1)
    read, plain = list[str](), store.read_record

    def spy(path: Path) -> JobRecord:
        read.append(path.name)
        return plain(path)

    monkeypatch.setattr(store, "read_record", spy)
    for record in late:
        place.write_record(record)
    look_again(found)
    assert (found.run.blocks, found.revision) == (12, 2)
    assert len(read) == len(late)
    look_again(found)
    assert found.revision == 2


def test_results_of_a_running_sweep_take_a_small_share_of_a_core(library: Library, place: Store) -> None:
    with writing(place):
        found = library.open_run(place.name)
        record = place.read_records()[0]
        place.write_record(record.model_copy(update={"advice": "new"}))
        found.looked_s, found.cost_s, found.computed_s = -1e9, 10.0, time.monotonic()
        found.refresh()
        assert (found.revision, found.is_stale) == (1, True)
        found.computed_s = time.monotonic() - 10.0 * PAUSE_PER_COST
        found.refresh()
        assert (found.revision, found.is_stale) == (2, False)
        place.write_record(record)
    # The end of a sweep is shown at once.
    found.looked_s, found.cost_s = -1e9, 1e6
    found.refresh()
    assert found.revision == 3


def test_a_damaged_record_and_one_of_another_type_of_machine_are_named(library: Library, place: Store) -> None:
    first, second = place.read_records()[:2]
    path = place.jobs_folder / f"{first.spec.block:03}-{first.spec.cell.id}.json"
    path.write_text(json.dumps({"outcome": "measured"}))
    place.write_record(second.model_copy(update={"host": second.host.model_copy(update={"cores": 64})}))
    skipped = library.open_run(place.name).run.skipped
    assert len(skipped) == 2
    assert any(path.name in each for each in skipped)
    assert any("another type of machine" in each for each in skipped)


def test_few_runs_are_kept_open(library: Library, make_run: MakeRun) -> None:
    opened = [library.open_run(make_run(f"more-{number}", [], number).name) for number in range(MAX_OPEN_RUNS + 1)]
    assert library.open_run(opened[-1].place.name) is opened[-1]
    assert library.open_run(opened[0].place.name) is not opened[0]


def test_a_run_that_no_address_can_name_is_listed_with_what_to_do(library: Library, place: Store) -> None:
    odd = place.folder.with_name("20250101-130000-\udcff")
    place.folder.rename(odd)
    (entry,) = library.list_entries()
    assert entry.reason == "no address can have its name; rename its folder"
    entry.name.encode()


def test_looks_at_a_large_running_sweep_are_the_rarer_the_more_they_cost(
    library: Library, place: Store, make_record: Callable[..., JobRecord]
) -> None:
    with writing(place):
        found = library.open_run(place.name)
        assert found.look_cost_s == 0  # the first look reads all records, and delays no other one
        place.write_record(make_record(block=13))
        found.look_cost_s, found.looked_s = 0.1, time.monotonic() - 10.0
        found.refresh()
        assert found.reader.revision == 1
        found.looked_s = time.monotonic() - 0.1 * PAUSE_PER_COST
        found.refresh()
        assert found.reader.revision == 2
        place.write_record(make_record(block=14))
        found.look_cost_s, found.looked_s = 1e6, time.monotonic() - 2.0
    # The end of a sweep is seen at once.
    found.refresh()
    assert (found.reader.revision, found.writer) == (3, None)


def test_the_stamps_of_all_runs_change_with_any_record_and_tell_of_a_running_sweep(
    library: Library, place: Store, make_run: MakeRun
) -> None:
    other = make_run("other", place.read_records(), 600)
    before = [library.read_stamps(), library.read_stamps([place.name])]
    assert [library.read_stamps(), library.read_stamps([place.name])] == before
    path = other.list_record_files()[0]
    path.write_text(path.read_text().replace('"measured"', '"weighed!"'))
    after = [library.read_stamps(), library.read_stamps([place.name])]
    assert [one == two for one, two in zip(before, after, strict=True)] == [False, True]
    with writing(other):
        assert [library.read_stamps()[1], library.read_stamps([place.name])[1]] == [True, False]
