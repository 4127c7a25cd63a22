import json
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.analysis.derivation.process import Process, derive_processes
from orchestrator.analysis.derivation.run_reader import RunReader
from orchestrator.errors import NewerVersion, UsageError
from orchestrator.files import atomic
from orchestrator.records import store
from orchestrator.records.store import Store
from schemas.base import OLDEST_VERSION, SCHEMA_VERSION
from schemas.job import Cell, ComputeReference, Export, JobSpec, Measure, Profile, Purpose
from schemas.record import Host, JobRecord, Manifest
from schemas.sweep import SweepSpec

NOW = datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC)

MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., JobRecord]
MakeRun = Callable[..., Store]


@pytest.fixture
def make_run(tmp_path: Path, host: Host) -> MakeRun:
    """Make a run's folder with its manifest, `seconds` after the first."""

    def make(name: str = "sweep", seconds: int = 0) -> Store:
        run = store.create_run(tmp_path, name, NOW.replace(second=7 + seconds))
        run.write_manifest(
            Manifest(name=name, started="now", command=(), sweep=SweepSpec(), seed=1, cells=(), host=host)
        )
        return run

    return make


def test_a_run_is_named_by_its_time_and_its_name(make_run: MakeRun) -> None:
    assert make_run("mine").name == "20250304-050607-mine"


def test_two_runs_in_one_second_have_folders_of_their_own(make_run: MakeRun) -> None:
    assert make_run().folder != make_run().folder


def test_what_was_written_is_read_back_in_the_order_of_blocks(
    make_run: MakeRun, make_record: MakeRecord, make_cell: MakeCell
) -> None:
    run = make_run()
    records = [make_record(make_cell(), block) for block in (1, 2, 10)]
    for record in reversed(records):
        run.write_record(record)
    assert run.read_records() == records
    assert run.read_manifest().name == "sweep"


def test_a_half_written_file_is_not_a_record(make_run: MakeRun, make_record: MakeRecord) -> None:
    run = make_run()
    run.write_record(make_record())
    (whole,) = (run.folder / "jobs").iterdir()
    for name in (f".{whole.name}.00000000.part", f"{whole.name}.part", f".{whole.name}.x.part"):
        whole.with_name(name).write_bytes(whole.read_bytes()[:100])
    assert len(run.read_records()) == 1


def test_a_text_replaces_what_stands_in_its_place_and_follows_no_link(make_run: MakeRun, tmp_path: Path) -> None:
    run, elsewhere = make_run(), tmp_path / "elsewhere"
    elsewhere.write_text("not ours")
    for name in (run.page_path, run.page_path.with_name(".report.html.00000000.part")):
        name.symlink_to(elsewhere)
    atomic.write_text(run.page_path, "ours")
    assert (run.page_path.read_text(), elsewhere.read_text()) == ("ours", "not ours")
    assert not run.page_path.is_symlink()


def test_what_cannot_be_put_into_its_place_leaves_nothing_behind(make_run: MakeRun) -> None:
    run = make_run()
    run.page_path.mkdir()
    with pytest.raises(OSError, match=r"report\.html"):
        atomic.write_text(run.page_path, "ours")
    assert not [path.name for path in run.folder.iterdir() if path.suffix == ".part"]


def test_nothing_half_written_stays_beside_a_record(make_run: MakeRun, make_record: MakeRecord) -> None:
    run = make_run()
    run.write_record(make_record())
    assert [path.suffix for path in (run.folder / "jobs").iterdir()] == [".json"]


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file grow beyond a hundred bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_in_the_middle_of_a_file_harms_no_other(
    make_run: MakeRun, make_record: MakeRecord
) -> None:
    run, first, second = make_run(), make_record(block=1), make_record(block=2)
    run.write_record(first)
    with full_disk(), pytest.raises(OSError, match="too large"):
        run.write_record(second)
    with full_disk(), pytest.raises(OSError, match="too large"):
        run.write_manifest(run.read_manifest().model_copy(update={"stopped": "soon"}))
    assert run.read_records() == [first]
    assert run.read_manifest().stopped == ""


def test_a_manifest_is_replaced_whole(make_run: MakeRun) -> None:
    run = make_run()
    run.write_manifest(run.read_manifest().model_copy(update={"stopped": "the budget was used up"}))
    assert run.read_manifest().stopped == "the budget was used up"


def test_a_log_stands_beside_its_record_and_is_not_taken_for_one(make_run: MakeRun, make_record: MakeRecord) -> None:
    run, record = make_run(), make_record()
    run.write_record(record)
    run.log_path(record.spec).write_text("{}")
    assert run.log_path(record.spec).name == f"{store.job_name(record.spec)}.stderr.log"
    assert run.read_records() == [record]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"schema_version": 99}'])
def test_a_file_that_is_no_record_is_named(make_run: MakeRun, make_record: MakeRecord, content: bytes) -> None:
    run = make_run()
    run.write_record(make_record())
    (path,) = (run.folder / "jobs").iterdir()
    path.write_bytes(content)
    with pytest.raises(UsageError, match=path.name):
        run.read_records()


def read_what_can_be(place: Store) -> tuple[list[Process], list[str]]:
    """Return what is derived of the records that can be read, and why the others cannot."""
    reader = RunReader(place)
    reader.refresh()
    return list(reader.processes), list(reader.skipped)


def test_what_is_no_record_is_skipped_and_named_with_the_reason_for_whoever_wants_to_know(
    make_run: MakeRun, make_record: MakeRecord
) -> None:
    run, records = make_run(), [make_record(block=block) for block in (1, 2, 3, 4)]
    for record in records:
        run.write_record(record)
    paths = sorted(run.jobs_folder.iterdir())
    paths[0].write_bytes(b"")
    paths[1].write_text(json.dumps(json.loads(paths[1].read_text()) | {"schema_version": 99}))
    os.truncate(paths[2], 1 << 40)
    kept, skipped = read_what_can_be(run)
    assert kept == derive_processes(records[3:])
    assert [line.partition(" ")[0] for line in skipped] == [path.name for path in paths[:3]]
    reasons = ("Invalid JSON", "schema version 99 is not supported", "larger than 64 MiB")
    assert all(reason in line for reason, line in zip(reasons, skipped, strict=True))
    assert str(run.folder) not in "".join(skipped)


@pytest.mark.parametrize("place", [(), ("spec",), ("result",)])
def test_a_record_that_a_newer_version_wrote_is_not_damaged_and_nothing_is_set_aside(
    make_run: MakeRun, make_record: MakeRecord, place: tuple[str, ...]
) -> None:
    run = make_run()
    for block in (1, 2):
        run.write_record(make_record(block=block))
    damaged, newer = sorted(run.jobs_folder.iterdir())
    damaged.write_text("{")
    said = json.loads(newer.read_text())
    part = said[place[0]] if place else said
    part |= {"schema_version": 99, "a_new_field": 1}
    newer.write_text(json.dumps(said))
    with pytest.raises(NewerVersion, match=newer.name):
        run.salvage_records()
    assert sorted(run.jobs_folder.iterdir()) == [damaged, newer]
    newer.unlink()
    assert run.salvage_records() == ([], [damaged.name])


@pytest.mark.parametrize("version", ["x", -1, None, True])
def test_a_version_that_is_none_is_damage(make_run: MakeRun, make_record: MakeRecord, version: object) -> None:
    run = make_run()
    run.write_record(make_record())
    (path,) = run.jobs_folder.iterdir()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": version, "unknown": 1}))
    assert run.salvage_records() == ([], [path.name])


def test_a_run_is_kept_only_where_its_path_is_text(tmp_path: Path, make_run: MakeRun) -> None:
    strange = tmp_path / os.fsdecode(b"r\xffns")
    with pytest.raises(UsageError, match="is not UTF-8, and no record can name it; choose a folder with --runs"):
        store.create_run(strange, "sweep", NOW)
    assert not strange.exists()
    moved = Store(make_run().folder.rename(strange))
    assert moved.read_records() == []
    with pytest.raises(UsageError, match="rename or move it"), moved.hold_lock("me"):
        pass


def test_a_record_of_another_version_says_which_two_versions(make_run: MakeRun, make_record: MakeRecord) -> None:
    run = make_run()
    run.write_record(make_record())
    (path,) = (run.folder / "jobs").iterdir()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    with pytest.raises(
        UsageError, match=f"schema version 99 is not supported, only {OLDEST_VERSION} to {SCHEMA_VERSION}"
    ):
        run.read_records()


@pytest.mark.parametrize(
    ("purpose", "folder"),
    [
        (Measure(), "jobs"),
        (Export(path="/x.onnx"), "artefacts"),
        (ComputeReference(path="/x.npz"), "artefacts"),
        (Profile(path="/x.trace.json"), "profiles"),
    ],
)
def test_a_job_of_each_purpose_has_its_record_and_its_log_in_one_folder_and_is_read_from_no_other(
    make_run: MakeRun, make_record: MakeRecord, make_spec: Callable[..., JobSpec], purpose: Purpose, folder: str
) -> None:
    run, record = make_run(), make_record(spec=make_spec(purpose=purpose), outcome="raised")
    run.write_record(record)
    (path,) = run.folder.glob("*/*.json")
    assert {path.parent, run.log_path(record.spec).parent} == {run.folder / folder}
    assert [*run.read_records(), *run.read_artefact_records(), *run.read_profiles()] == [record]
    for other in {"jobs", "artefacts", "profiles"} - {folder}:
        moved = run.folder / other / "001-x.record.json"
        moved.parent.mkdir(exist_ok=True)
        path = path.rename(moved)
        with pytest.raises(UsageError, match=f"purpose {purpose.kind}, whose records are in {folder}/; remove it"):
            store.read_record(path)


@pytest.mark.parametrize("below", ["", "runs", "a/b"])
def test_a_folder_that_cannot_be_written_is_a_mistake_with_a_remedy(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="choose a folder with --runs"):
        store.create_run(tmp_path / "file" / below, "sweep", NOW)


def test_a_run_is_found_by_path_name_and_part_of_its_name(tmp_path: Path, make_run: MakeRun) -> None:
    mine, _ = make_run("mine"), make_run("yours", seconds=1)
    for text in (str(mine.folder), mine.name, "mine", "20250304-050607"):
        assert store.find_run(tmp_path, text).folder == mine.folder


def test_latest_is_the_newest(tmp_path: Path, make_run: MakeRun) -> None:
    newest = make_run("a", seconds=9)
    make_run("z")
    assert store.find_run(tmp_path, "latest").folder == newest.folder


def test_latest_is_the_newest_of_many_in_one_second(tmp_path: Path, make_run: MakeRun) -> None:
    runs = [make_run() for _ in range(11)]
    assert store.find_run(tmp_path, "latest").folder == runs[-1].folder


def test_a_whole_name_is_not_mistaken_for_part_of_another(tmp_path: Path, make_run: MakeRun) -> None:
    short, _ = make_run("mine"), make_run("mine-too")
    assert store.find_run(tmp_path, short.name).folder == short.folder


@pytest.mark.parametrize(
    ("text", "says"), [("mine", "several runs match 'mine'"), ("nobody", "no run matches 'nobody'")]
)
def test_a_name_that_fits_none_or_several_is_refused_with_names_that_exist(
    tmp_path: Path, make_run: MakeRun, text: str, says: str
) -> None:
    make_run("mine-1"), make_run("mine-2")
    with pytest.raises(UsageError, match=f"{says}.*-mine-1.*-mine-2"):
        store.find_run(tmp_path, text)


def test_without_runs_the_way_to_one_is_shown(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="python -m orchestrator sweep"):
        store.find_run(tmp_path / "nowhere", "latest")


def test_recent_records_are_the_newest_that_can_be_read(
    tmp_path: Path, make_run: MakeRun, make_record: MakeRecord
) -> None:
    for seconds in range(3):
        make_run(seconds=seconds).write_record(make_record(block=seconds + 1))
    (broken,) = tmp_path.glob("*09-sweep/jobs/*.json")
    broken.write_text("{")
    assert [record.spec.block for record in store.read_recent(tmp_path, 10)] == [2, 1]
    assert [record.spec.block for record in store.read_recent(tmp_path, 2)] == [2]


def test_no_job_leaves_its_runs_folder(
    tmp_path: Path, make_run: MakeRun, make_cell: MakeCell, make_record: MakeRecord
) -> None:
    run = make_run()
    with pytest.raises((ValueError, UsageError, OSError)):
        run.write_record(make_record(make_cell("../../x:eager")))
    assert [path.name for path in tmp_path.rglob("*") if path.suffix == ".json"] == ["manifest.json"]


@pytest.mark.parametrize("linked", ["artefacts", "artefacts/{}.npz"])
def test_nothing_is_written_where_a_link_leads_out_of_the_run(
    make_run: Callable[..., Store], make_cell: Callable[..., Cell], tmp_path: Path, linked: str
) -> None:
    run, cell, outside = make_run(), make_cell(), tmp_path / "outside"
    link = run.folder / linked.format(cell.id)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside)
    with pytest.raises(UsageError, match="is a symbolic link, which no run contains"):
        run.expected_path(cell)
    assert not outside.exists()


@pytest.mark.parametrize("note", ["", "4194305 mark", "-1 mark", "0 mark", f"{10**20} mark", "² mark", "mark"])
def test_a_lock_that_names_no_living_process_has_no_writer(make_run: MakeRun, note: str) -> None:
    run = make_run()
    (run.folder / ".lock").write_text(note)
    assert run.find_writer() is None


def test_a_note_that_a_killed_process_has_left_names_no_writer(make_run: MakeRun) -> None:
    run = make_run()
    (run.folder / ".lock").write_text(f"{os.getpid()} mark")
    assert run.find_writer() is None


def test_a_sweep_that_holds_its_lock_is_its_writer(make_run: MakeRun) -> None:
    run = make_run()
    with run.hold_lock(f"{os.getpid()} mark"):
        assert run.find_writer() == os.getpid()
    assert run.find_writer() is None


def test_the_open_log_is_the_newest_without_a_record(
    make_run: MakeRun, make_record: MakeRecord, make_cell: MakeCell
) -> None:
    run = make_run()
    assert run.find_open_log() is None
    records = [make_record(make_cell(), block) for block in (1, 2, 3)]
    for number, record in enumerate(records):
        run.log_path(record.spec).write_text("text")
        os.utime(run.log_path(record.spec), (number, number))
    assert run.find_open_log() == run.log_path(records[2].spec)
    run.write_record(records[2])
    assert run.find_open_log() == run.log_path(records[1].spec)
    for record in records:
        run.write_record(record)
    assert run.find_open_log() is None
    shutil.rmtree(run.jobs_folder)
    assert run.find_open_log() is None


def test_a_listed_run_is_opened_by_its_whole_name_and_through_no_link(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("mine")
    root = run.folder.parent
    assert store.open_listed(root, run.name) == run
    (root / "20250101-000000-link").symlink_to(run.folder)
    assert store.list_own_stores(root) == [run]
    assert len(store.list_stores(root)) == 2
    for name in ("mine", "latest", "..", "", "20250101-000000-link", f"{run.name}/jobs", str(run.folder)):
        with pytest.raises(UsageError, match="there is no run"):
            store.open_listed(root, name)


def test_an_edit_of_the_same_size_that_hides_its_time_changes_the_stamp_of_a_manifest(make_run: MakeRun) -> None:
    run = make_run("sweep")
    path, before = run.folder / "manifest.json", run.read_manifest_stamp()
    status = path.stat()
    path.write_text(path.read_text().replace("sweep", "swept"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert run.read_manifest_stamp()[:2] == before[:2]
    assert run.read_manifest_stamp() != before


def test_the_stamp_of_a_manifest_changes_with_it(make_run: MakeRun) -> None:
    run = make_run()
    before = run.read_manifest_stamp()
    assert run.read_manifest_stamp() == before
    run.write_manifest(run.read_manifest().model_copy(update={"stopped": "by hand"}))
    assert run.read_manifest_stamp() != before
    (run.folder / "manifest.json").unlink()
    assert run.read_manifest_stamp() == store.NO_STAMP


def test_compressed_records_are_read_like_others(make_run: MakeRun, make_record: MakeRecord) -> None:
    run = make_run()
    for block in (1, 2):
        run.write_record(make_record(block=block))
    before = run.read_records()
    path = sorted(run.jobs_folder.glob("*.json"))[1]
    path.with_name(f"{path.name}.gz").write_bytes(atomic.compress_bytes(path.read_bytes()))
    path.unlink()
    assert run.read_records() == before
    min(run.jobs_folder.glob("*.gz")).write_bytes(b"no gzip")
    kept, skipped = read_what_can_be(run)
    assert kept == derive_processes(before[:1])
    assert skipped == [f"{path.name}.gz is not a gzip file"]
