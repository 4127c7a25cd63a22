"""The head keeps the manifest of a run on several machines: its machine, its environments, its end."""

import json
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.execution.shares import EngineState, Place
from orchestrator.execution.shares.attempt import ShareRow
from orchestrator.execution.shares.head import Head, describe_kept, fix_blocks
from orchestrator.planning.shares import ShareLayout
from orchestrator.processes.signals import Interrupts
from orchestrator.records.share_store import ShareStore, list_attempts
from orchestrator.records.store import Store
from schemas.environment import EnvironmentRecord
from schemas.record import Identity, JobRecord, Manifest
from tests.orchestrator.conftest import HOST, NOON, a_manifest
from tests.orchestrator.execution.shares.conftest import CELLS, Node, ObedientEngine

MakeRecord = Callable[..., JobRecord]
CLONE = CELLS[0].model_copy(update={"replica": 1})
ENVIRONMENT = EnvironmentRecord(
    python="3.11.7", freeze="aaaa", packages={"numpy": "2.0"}, installed={}, interpreter="/bin/python"
)


def a_shared_manifest(blocks: int = 4, **cluster: object) -> Manifest:
    plain = a_manifest(
        (*CELLS, CLONE),
        finished=False,
        stopped="",
        sweep={"stop": {"blocks": blocks}, "cluster": {"on": "slurm", "patience": 30, "share_blocks": 2} | cluster},
        identity=Identity(sweep="s", code="c"),
    )
    return fix_blocks(plain, ShareLayout(blocks, 2, 2, 10.0), NOON)


class Play:
    """Nodes that measure their shares at once, unless a test wants otherwise."""

    def __init__(self, run: Store, make_record: MakeRecord, manifest: Manifest | None = None) -> None:
        self.run, self.make_record = run, make_record
        self.engine = ObedientEngine(on_start=self.measure_share)
        self.manifest = manifest or a_shared_manifest()
        self.hosts = dict.fromkeys(("n1", "n2"), HOST)
        self.environments = {"n1": ENVIRONMENT, "n2": ENVIRONMENT}
        self.stop_after: dict[tuple[int, int], int] = {}
        self.interrupts = Interrupts()

    def measure_share(self, store: ShareStore, place: Place) -> None:
        spec = store.read_spec()
        node = Node(store, spec, self.make_record, (*CELLS, CLONE), place.name)
        node.begin()
        found = a_manifest((*CELLS, CLONE), environments={"current": self.environments[place.name]}, cores=(1,))
        store.run.write_manifest(found)
        for block in range(spec.first, spec.last + 1):
            if block > self.stop_after.get(store.number, block):
                self.engine.states[store.number] = EngineState("gone", reason="Slurm: node fail")
                return
            node.close(block, host=self.hosts[place.name])
        node.end()

    def lead(self) -> Head:
        """Lead the run; a later call is a later head, with what its manifest says by then."""
        head = Head(self.run, self.manifest, self.engine)
        shown = list[Sequence[ShareRow]]()
        self.engine.now_s = 0.0
        head_clock = self.engine.clock
        self.interrupted = head.measure_missing(
            self.interrupts, lambda rows, _waiting: shown.append(rows), clock=head_clock
        )
        self.manifest = head.manifest
        return head


@pytest.fixture
def play(run: Store, make_record: MakeRecord) -> Play:
    return Play(run, make_record)


def list_owners(run: Store) -> dict[int, tuple[str, int, int]]:
    return {
        record.spec.block: (record.placement.node, record.placement.share, record.placement.attempt)
        for record in run.read_records()
        if record.placement
    }


def test_a_run_ends_when_all_blocks_are_there(play: Play) -> None:
    head = play.lead()
    assert list_owners(play.run) == {1: ("n1", 1, 1), 2: ("n1", 1, 1), 3: ("n2", 2, 1), 4: ("n2", 2, 1)}
    written = play.run.read_manifest()
    assert (written.finished, written.stopped, head.problems) == (True, "all 4 blocks were run", [])
    assert written == head.manifest
    assert not play.interrupted


def test_a_request_says_what_the_node_needs_and_nothing_of_the_site(play: Play) -> None:
    play.manifest = a_shared_manifest(account="secret-lab", home="/scratch", keep=["X"], gpus=1)
    play.lead()
    spec = list_attempts(play.run)[0].read_spec()
    assert (spec.home, spec.keep, spec.gpus, spec.sweep.cluster) == ("/scratch", ("X",), 1, None)
    assert spec.identity == play.manifest.identity
    assert spec.cloned == CELLS[0].id
    assert spec.folder == str(list_attempts(play.run)[0].folder.resolve())
    assert "secret-lab" not in list_attempts(play.run)[0].spec_path.read_text()


def test_the_machine_of_the_run_is_that_of_its_first_block(play: Play) -> None:
    play.hosts = dict.fromkeys(("n1", "n2"), HOST.model_copy(update={"cpu": "another CPU"}))
    assert play.lead().manifest.host.cpu == "another CPU"


def test_environments_are_those_of_the_first_node(play: Play) -> None:
    head = play.lead()
    assert head.manifest.environments == {"current": ENVIRONMENT}
    assert (head.manifest.mixed, head.manifest.cores) == ((), (1,))


def test_other_packages_on_a_node_make_the_run_mixed(play: Play) -> None:
    other = ENVIRONMENT.model_copy(update={"freeze": "bbbb", "packages": {"numpy": "2.1"}})
    play.environments["n2"] = other
    assert play.lead().manifest.mixed == ("environment current (freeze aaaa is now bbbb): numpy 2.0 is now 2.1 on n2",)


def test_what_a_lost_node_had_closed_counts_and_a_later_head_hands_out_the_rest(play: Play) -> None:
    play.stop_after = {(2, 1): 3}
    head = play.lead()
    assert sorted(list_owners(play.run)) == [1, 2, 3]
    assert (head.manifest.finished, head.manifest.stopped) == (False, "3 of 4 blocks were run")
    assert head.problems == ["share 2, attempt 1 on n2: lost after 1 of 2 blocks: Slurm: node fail"]
    before = {path: path.read_bytes() for path in play.run.list_record_files()}
    again = play.lead()
    assert list_owners(play.run)[4] == ("n1", 2, 2)
    assert again.manifest.finished
    assert before.items() <= {path: path.read_bytes() for path in play.run.list_record_files()}.items()


def test_a_later_head_follows_what_still_runs(play: Play, make_node: Callable[..., Node]) -> None:
    node = make_node(share=1, first=1, last=2)
    node.begin()
    node.close(1)
    play.engine.states[1, 1] = EngineState("running", "n1")

    def measure_rest() -> None:
        if node.store.read_end() is None:
            node.close_and_end(2)

    play.engine.on_wait = measure_rest
    assert play.lead().manifest.finished
    assert [number for number, _ in play.engine.started] == [(2, 1)]
    assert list_owners(play.run)[2] == ("n1", 1, 1)


def test_a_later_head_hands_out_at_once_what_an_attempt_has_left_that_is_gone(
    play: Play, make_node: Callable[..., Node]
) -> None:
    node = make_node(share=1, first=1, last=2)
    node.begin()
    node.close(1)
    play.engine.states[1, 1] = EngineState("gone", reason="its head has ended", is_final=True)
    assert play.lead().manifest.finished
    assert play.engine.started == [((1, 2), "n1"), ((2, 1), "n2")]
    assert list_owners(play.run)[1] == ("n1", 1, 1)
    assert list_owners(play.run)[2] == ("n1", 1, 2)


def test_a_later_head_hands_out_once_what_an_attempt_leaves_that_is_lost_while_it_is_followed(
    play: Play, make_node: Callable[..., Node]
) -> None:
    node = make_node(share=1, first=1, last=2)
    node.begin()
    play.engine.states[1, 1] = EngineState("running", "n1")
    play.manifest = a_shared_manifest(blocks=2)

    def vanish() -> None:
        play.engine.states[1, 1] = EngineState("gone", reason="Slurm: node fail")

    play.engine.on_wait = vanish
    play.stop_after = {(1, 2): 1}
    head = play.lead()
    assert [number for number, _ in play.engine.started] == [(1, 2)]
    assert sorted(list_owners(play.run)) == [1]
    assert [problem.partition(":")[0] for problem in head.problems] == [
        "share 1, attempt 1 on n1",
        "share 1, attempt 2 on n1",
    ]


def test_an_end_that_no_head_has_read_is_fetched_before_the_rest_is_handed_out(
    play: Play, make_node: Callable[..., Node]
) -> None:
    node = make_node(share=1, first=1, last=2)
    node.begin()
    play.engine.states[1, 1] = EngineState("running", "n1")

    def fetch(attempt: ShareStore) -> None:
        if attempt == node.store and attempt.read_end() is None:
            node.close(1)
            node.end("interrupted", "the head has gone")

    play.engine.on_fetch = fetch
    assert play.lead().manifest.finished
    assert [number for number, _ in play.engine.started] == [(1, 2), (2, 1)]


def test_a_place_that_got_no_more_shares_is_named(play: Play) -> None:
    def refuse(store: ShareStore, place: Place) -> None:
        if place.name == "n1":
            raise UsageError("Slurm refuses: no such node")
        play.measure_share(store, place)

    play.engine.on_start = refuse
    head = play.lead()
    assert head.manifest.finished
    assert head.problems == ["n1 got no more shares: Slurm refuses: no such node"]


def test_a_node_that_was_excluded_is_named(play: Play) -> None:
    play.engine.places = [Place("", 2)]

    def fail(store: ShareStore, _place: Place) -> None:
        play.engine.states[store.number] = EngineState("gone", "n1", "Slurm: node fail")

    play.engine.on_start = fail
    head = play.lead()
    assert head.problems[0] == (
        "n1 got no more shares: 2 attempts in a row on n1 ended without a block; the last one: Slurm: node fail; "
        f"it has written no log; check that its node sees {list_attempts(play.run)[1].folder.resolve()}"
    )
    assert not head.manifest.finished


def test_blocks_that_were_closed_while_no_head_looked_are_collected(play: Play) -> None:
    play.lead()
    for path in play.run.list_record_files():
        path.unlink()
    (play.run.folder / "shares" / "taken.jsonl").unlink()
    started = list(play.engine.started)
    assert play.lead().manifest.finished
    assert sorted(list_owners(play.run)) == [1, 2, 3, 4]
    assert play.engine.started == started


def test_a_block_that_was_measured_twice_is_named_and_kept(play: Play) -> None:
    play.stop_after = {(2, 1): 3}
    play.lead()
    late = Node(
        ShareStore(play.run.folder / "shares" / "2-1"), list_attempts(play.run)[1].read_spec(), play.make_record
    )
    play.lead()
    late.close(4)
    again = play.lead()
    assert list_owners(play.run)[4][2] == 2
    assert again.problems == describe_kept({(2, 1): [4]})
    assert "blocks 4 were measured twice" in again.problems[0]


def test_new_blocks_are_new_shares(play: Play) -> None:
    play.lead()
    stop = play.manifest.sweep.stop.model_copy(update={"blocks": 7})
    sweep = play.manifest.sweep.model_copy(update={"stop": stop})
    play.manifest = play.manifest.model_copy(update={"sweep": sweep, "finished": False})
    play.lead()
    assert list_owners(play.run)[7][1:] == (4, 1)
    assert [spec.read_spec().first for spec in list_attempts(play.run)] == [1, 3, 5, 7]


def test_a_signal_leaves_the_run_unfinished_with_its_reason(play: Play) -> None:
    play.engine.on_start = lambda store, place: None
    play.engine.on_wait = lambda: setattr(play.interrupts, "received", signal.SIGTERM)
    head = play.lead()
    assert play.interrupted
    assert (head.manifest.finished, head.manifest.stopped) == (False, "stopped by SIGTERM")


def test_an_engine_that_refuses_leaves_a_run_that_can_be_resumed(play: Play) -> None:
    def refuse(_store: ShareStore, _place: Place) -> None:
        raise UsageError("Slurm refuses: no such account")

    play.engine.on_start = refuse
    with pytest.raises(UsageError, match="no such account"):
        play.lead()
    assert play.run.read_manifest().stopped == "0 of 4 blocks were run"
    play.engine.on_start = play.measure_share
    assert play.lead().manifest.finished


def test_an_engine_is_asked_for_its_places_once_and_only_if_blocks_are_missing(play: Play) -> None:
    play.manifest = a_shared_manifest(share_blocks=None)
    play.lead()
    assert (play.engine.asked, play.manifest.finished) == (1, True)
    play.lead()
    assert play.engine.asked == 1


def test_an_engine_without_places_leaves_what_still_runs_alone(
    play: Play, make_node: Callable[..., Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = make_node(share=1, first=1, last=2)
    node.begin()

    def refuse() -> Sequence[Place]:
        raise UsageError("Slurm offers no node; see sinfo")

    monkeypatch.setattr(play.engine, "list_places", refuse)
    with pytest.raises(UsageError, match="offers no node"):
        play.lead()
    assert (node.store.is_withdrawn, play.engine.cancelled, play.engine.is_closed) == (False, [], True)
    assert play.run.read_manifest().stopped == "0 of 4 blocks were run"


def test_the_number_of_blocks_is_fixed_before_the_first(play: Play) -> None:
    manifest = a_shared_manifest()
    (extension,) = manifest.extensions
    assert (extension.blocks, extension.least_blocks, manifest.sweep.stop.blocks) == (0, 4, 4)
    assert manifest.original_sweep.stop == extension.stop


def test_a_list_that_was_cut_off_by_the_end_of_a_head_is_repaired(play: Play) -> None:
    play.stop_after = {(2, 1): 3}
    play.lead()
    path: Path = play.run.folder / "shares" / "taken.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    play.lead()
    assert sorted(list_owners(play.run)) == [1, 2, 3, 4]
    assert all(json.loads(line)["block"] for line in path.read_text().splitlines())
