"""Attempts at shares have folders of their own, and the list of what counts survives the end of its writer."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.records import store
from orchestrator.records.share_store import ShareStore, iterate_attempt_specs, list_attempts, locate_log, open_attempt
from orchestrator.records.store import Store
from orchestrator.records.taken_blocks import TakenBlock, load_taken
from schemas.record import Identity, JobRecord, Placement
from schemas.share import Lease, ShareEnd, ShareSpec
from schemas.sweep import SweepSpec
from tests.orchestrator.conftest import NOON


@pytest.fixture
def run(tmp_path: Path) -> Store:
    return store.create_run(tmp_path, "mine", NOON)


def make_attempt(run: Store, share: int, attempt: int = 1) -> ShareStore:
    made = open_attempt(run, share, attempt)
    made.make_folders()
    return made


def test_attempts_are_listed_by_their_numbers(run: Store) -> None:
    for share, attempt in ((10, 1), (2, 2), (2, 10), (2, 1)):
        make_attempt(run, share, attempt)
    (run.folder / "shares" / "0-1").mkdir()
    (run.folder / "shares" / "other").mkdir()
    (run.folder / "shares" / "3-1").touch()
    assert [each.number for each in list_attempts(run)] == [(2, 1), (2, 2), (2, 10), (10, 1)]


def test_a_link_among_attempts_is_none_and_no_log_is_read_by_way_of_it(
    run: Store, tmp_path: Path, make_record: Callable[..., JobRecord]
) -> None:
    make_attempt(run, 1)
    outside = tmp_path / "outside" / "2-1"
    outside.joinpath("jobs").mkdir(parents=True)
    (run.folder / "shares" / "2-1").symlink_to(outside)
    assert [each.number for each in list_attempts(run)] == [(1, 1)]
    with pytest.raises(UsageError, match=r"2-1 is a symbolic link, which no run contains; remove it"):
        locate_log(run, make_record(placement=Placement(node="n", share=2, attempt=1)))
    plain = locate_log(run, make_record(placement=Placement(node="n", share=1, attempt=1)))
    assert plain.parent == run.folder / "shares" / "1-1" / "jobs"
    (run.folder / "shares").rename(tmp_path / "elsewhere")
    (run.folder / "shares").symlink_to(tmp_path / "elsewhere")
    assert list_attempts(run) == []


def test_a_run_on_one_machine_has_no_attempts(run: Store) -> None:
    assert list_attempts(run) == []
    assert list(iterate_attempt_specs(run)) == []


def test_a_request_is_one_line_which_a_node_reads(run: Store) -> None:
    made = make_attempt(run, 1)
    identity = Identity(sweep="s", code="c")
    spec = ShareSpec(run="a", share=1, attempt=1, first=1, last=2, sweep=SweepSpec(), seed=1, identity=identity)
    made.write_spec(spec)
    text = made.spec_path.read_text()
    assert (text.count("\n"), text[-1]) == (1, "\n")
    make_attempt(run, 2).spec_path.write_text("half a requ")
    assert list(iterate_attempt_specs(run)) == [(made, spec)]


def test_a_lease_that_is_just_being_written_is_nobodys_yet(run: Store) -> None:
    made = make_attempt(run, 1)
    (made.folder / "lease.json").touch()
    assert made.read_lease() is None
    assert not made.take_lease(Lease(node="n2"))


def test_withdrawing_twice_is_once(run: Store) -> None:
    made = make_attempt(run, 1)
    made.take_lease(Lease(node="n1", pid=1))
    made.withdraw_attempt()
    made.withdraw_attempt()
    lease = made.read_lease()
    assert lease is not None
    assert (made.is_withdrawn, lease.node) == (True, "n1")


def test_an_end_or_a_mark_that_is_half_written_is_none(run: Store) -> None:
    made = make_attempt(run, 1)
    made.write_end(ShareEnd(how="finished"))
    assert made.read_end() == ShareEnd(how="finished")
    (made.folder / "end.json").write_text("{")
    (made.folder / "closed" / "1.json").write_text("{")
    assert (made.read_end(), made.read_closed(1)) == (None, None)


def test_a_link_in_the_place_of_a_record_is_not_read(run: Store, tmp_path: Path) -> None:
    made = make_attempt(run, 1)
    (tmp_path / "secret").write_text("secret")
    (made.folder / "jobs" / "x.json").symlink_to(tmp_path / "secret")
    with pytest.raises((OSError, UsageError)):
        made.read_file("jobs/x.json")


@pytest.mark.parametrize(
    ("text", "line"),
    [("", ""), ("one\ntwo\n\n", "two"), ("x" * 10_000, "x" * 300), ("one\n  two  ", "two"), ("a\n\udcff", "\ufffd")],
)
def test_the_last_line_of_a_log_is_short(run: Store, text: str, line: str) -> None:
    made = make_attempt(run, 1)
    made.log_path.write_bytes(text.encode(errors="surrogateescape"))
    assert made.read_last_line() == line
    made.log_path.unlink()
    assert made.read_last_line() == ""


# The list


def test_a_list_is_read_as_it_was_written(run: Store) -> None:
    taken, _ = load_taken(run)
    taken.add_entry(TakenBlock(block=3, share=1, attempt=1, records=("003-x.json",)))
    taken.add_entry(TakenBlock(block=3, share=1, attempt=2, kept=True))
    again, entries = load_taken(run)
    assert (again.by_block, again.kept) == ({3: (1, 1)}, {(1, 2): [3]})
    assert entries[0].records == ("003-x.json",)
    assert again.list_missing(4) == [1, 2, 4]
    assert (again.is_known(3, (1, 1)), again.is_known(3, (1, 2)), again.is_known(3, (2, 1))) == (True, True, False)


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_line_that_was_cut_off_is_removed_and_the_next_one_is_whole(run: Store, cut: int) -> None:
    taken, _ = load_taken(run)
    for block in (1, 2):
        taken.add_entry(TakenBlock(block=block, share=1, attempt=1))
    taken.path.write_bytes(taken.path.read_bytes()[:-cut])
    again, _ = load_taken(run)
    assert again.by_block == {1: (1, 1)}
    again.add_entry(TakenBlock(block=2, share=1, attempt=2))
    assert load_taken(run)[0].by_block == {1: (1, 1), 2: (1, 2)}


def test_a_line_that_is_no_entry_is_left_out(run: Store) -> None:
    taken, _ = load_taken(run)
    taken.add_entry(TakenBlock(block=1, share=1, attempt=1))
    taken.path.write_text(taken.path.read_text() + '{"block": 0}\nnoise\n')
    assert load_taken(run)[0].by_block == {1: (1, 1)}


def test_on_a_full_disk_the_list_stays_as_it_was(run: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, _ = load_taken(run)
    taken.add_entry(TakenBlock(block=1, share=1, attempt=1))
    before = taken.path.read_bytes()

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        taken.add_entry(TakenBlock(block=2, share=1, attempt=1))
    assert (taken.path.read_bytes(), taken.by_block) == (before, {1: (1, 1)})
