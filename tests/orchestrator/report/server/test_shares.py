"""The nodes of a running sweep on several machines, as their files tell of them."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.analysis.derivation.run_reader import RunReader
from orchestrator.records import store
from orchestrator.records.share_store import ShareStore, open_attempt
from orchestrator.records.store import Store
from orchestrator.report.server import shares
from orchestrator.report.server.library import OpenRun
from orchestrator.report.server.views import build_progress
from schemas.record import JobRecord
from schemas.share import Lease, ShareEnd
from tests.orchestrator.conftest import NOON, a_manifest, a_run
from tests.orchestrator.execution.shares.conftest import a_share
from tests.orchestrator.report.server.serving import Served

NOW = datetime(2025, 1, 1, 12, tzinfo=UTC)
MakeRecord = Callable[..., JobRecord]


@pytest.fixture
def run(tmp_path: Path) -> Store:
    return store.create_run(tmp_path, "mine", NOON)


def begin(run: Store, share: int, node: str = "", attempt: int = 1, *, heard_s: float = 0.0) -> ShareStore:
    """Make an attempt at a share of two blocks that a node has taken, or that waits for one."""
    made = open_attempt(run, share, attempt)
    made.make_folders()
    made.write_spec(a_share(share, attempt, 2 * share - 1, 2 * share))
    if node:
        assert made.take_lease(Lease(node=node, pid=1))
        heard = NOW.timestamp() - heard_s
        os.utime(made.folder / "lease.json", (heard, heard))
    return made


def close(made: ShareStore, block: int, make_record: MakeRecord) -> None:
    record = make_record(block=block)
    made.run.write_record(record)
    made.close_block(block, [record])


def test_a_node_has_a_row_with_its_share_its_blocks_and_its_last_sign_of_life(
    run: Store, make_record: MakeRecord
) -> None:
    close(begin(run, 1, "n1", heard_s=3), 1, make_record)
    begin(run, 2)
    shown = shares.show_progress(run, NOW)
    assert shown.caption == "Nodes: 1; shares that wait for one: 1"
    assert [tuple(row) for row in shown.rows] == [("n1", "1", "1 of 2", "1", "measuring", "3.00 s ago")]
    assert len(shown.headings) == len(shown.rows[0])


def test_a_node_with_several_shares_has_its_latest_and_counts_all_blocks(run: Store, make_record: MakeRecord) -> None:
    first = begin(run, 1, "n1", heard_s=100)
    close(first, 1, make_record)
    close(first, 2, make_record)
    first.write_end(ShareEnd(how="finished"))
    os.utime(first.folder / "lease.json", (0, 0))
    close(begin(run, 2, "n1", attempt=2, heard_s=1), 3, make_record)
    (row,) = shares.show_progress(run, NOW).rows
    assert tuple(row)[:5] == ("n1", "2 (attempt 2)", "1 of 2", "3", "measuring")


def test_nodes_that_measure_stand_above_those_that_have_ended(run: Store) -> None:
    begin(run, 1, "n1").write_end(ShareEnd(how="failed", reason="its disk is full"))
    begin(run, 2, "n2").withdraw_attempt()
    begin(run, 3, "n3")
    assert [(row[0], row[4]) for row in shares.show_progress(run, NOW).rows] == [
        ("n3", "measuring"),
        ("n1", "failed: its disk is full"),
        ("n2", "ending"),
    ]


def test_an_attempt_that_was_withdrawn_before_it_began_is_no_node(run: Store) -> None:
    begin(run, 1).withdraw_attempt()
    shown = shares.show_progress(run, NOW)
    assert (shown.caption, shown.rows) == ("Nodes: 0", [])


def test_very_many_nodes_are_counted_and_the_first_are_shown(run: Store) -> None:
    for share in range(1, shares.MAX_NODES + 4):
        begin(run, share, f"n{share}")
    shown = shares.show_progress(run, NOW)
    assert len(shown.rows) == shares.MAX_NODES
    assert shown.caption == "Nodes: 63; the first 60 are shown"


def test_what_a_node_calls_itself_is_text(run: Store) -> None:
    begin(run, 1, "n1\x1b[31m")
    assert "\x1b" not in shares.show_progress(run, NOW).rows[0][0]


def test_progress_has_nodes_only_where_a_sweep_is_shared_out_and_runs(run: Store) -> None:
    begin(run, 1, "n1")
    for cluster, writer, has_nodes in (
        ({"on": "slurm", "nodes": 2}, 1, True),
        ({"on": "slurm", "nodes": 2}, None, False),
        (None, 1, False),
    ):
        manifest = a_manifest((), sweep={"cluster": cluster} if cluster else {}, finished=False, stopped="")
        found = OpenRun(run, RunReader(run), manifest, a_run(manifest, ()), writer=writer)
        assert (build_progress(found, NOW).nodes is not None) is has_nodes


def test_the_page_of_a_running_sweep_shows_them(served: Served, place: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = {"on": "slurm", "nodes": 2}
    plain = place.read_manifest()
    sweep = plain.sweep.model_validate({**plain.sweep.model_dump(), "cluster": cluster})
    place.write_manifest(plain.model_copy(update={"sweep": sweep, "finished": False, "stopped": ""}))
    begin(place, 1, "a-node")
    with place.hold_lock(f"{os.getpid()} mark"):
        page = served.ask(f"/runs/{place.name}").text
    assert "last sign of life" in page
    assert "a-node" in page
