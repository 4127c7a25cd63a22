"""The head hands out shares, notices every way to lose one, and leaves nothing running."""

import signal
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from orchestrator.errors import UsageError
from orchestrator.execution.shares import EngineSilent, EngineState, Place
from orchestrator.execution.shares.attempt import EndedAttempt, ShareRow
from orchestrator.execution.shares.collector import make_collector
from orchestrator.execution.shares.dispatcher import Dispatcher
from orchestrator.processes.signals import Interrupts
from orchestrator.records.share_store import ShareStore
from orchestrator.records.store import Store
from schemas.record import JobRecord
from schemas.share import ShareSpec
from tests.orchestrator.execution.shares.conftest import IDS, Node, ObedientEngine, a_share

PATIENCE_S = 30.0
MakeRecord = Callable[..., JobRecord]


class Head:
    """A dispatcher with an obedient engine, and what it has shown."""

    def __init__(
        self, run: Store, make_record: MakeRecord, *specs: ShareSpec, engine: ObedientEngine | None = None
    ) -> None:
        self.engine = engine or ObedientEngine()
        self.make_record = make_record
        self.shown = list[tuple[list[ShareRow], int]]()
        self.ended = list[EndedAttempt]()
        self.interrupts = Interrupts()
        self.collector = make_collector(run, IDS, lambda _: None)
        self.dispatcher = Dispatcher(
            run,
            self.engine,
            self.collector,
            PATIENCE_S,
            deque(partial(ShareSpec.model_copy, spec) for spec in specs),
            self.engine.places,
            clock=self.engine.clock,
            on_ended=lambda ended, _store: self.ended.append(ended),
        )

    def play(self, store: ShareStore) -> Node:
        return Node(store, store.read_spec(), self.make_record)

    def follow_shares(self) -> None:
        self.dispatcher.follow_shares(self.interrupts, lambda rows, waiting: self.shown.append(([*rows], waiting)))

    def script(self, *acts: Callable[[ObedientEngine], object]) -> None:
        self.engine.acts = iter(acts)


def run_whole(head: Head, store: ShareStore, _place: Place) -> None:
    """Let a node measure its share at once."""
    node = head.play(store)
    assert node.begin()
    for block in range(node.spec.first, node.spec.last + 1):
        node.close(block)
    node.end()


def list_blocks(run: Store) -> list[int]:
    return sorted({record.spec.block for record in run.read_records()})


def test_shares_go_to_free_places_until_all_blocks_are_there(run: Store, make_record: MakeRecord) -> None:
    specs = [a_share(number, first=2 * number - 1, last=2 * number) for number in range(1, 6)]
    head = Head(run, make_record, *specs)
    head.engine.on_start = partial(run_whole, head)
    head.follow_shares()
    assert list_blocks(run) == list(range(1, 11))
    assert [place for _, place in head.engine.started] == ["n1", "n2", "n1", "n2", "n1"]
    assert (head.dispatcher.open, head.dispatcher.failed, head.engine.cancelled) == ({}, [], [])
    assert {ended.how for ended in head.ended} == {"finished"}


def test_no_place_gets_more_shares_than_it_has_slots(run: Store, make_record: MakeRecord) -> None:
    specs = [a_share(number, first=number, last=number) for number in range(1, 8)]
    engine = ObedientEngine(places=[Place("", 3)])
    head = Head(run, make_record, *specs, engine=engine)
    most = list[int]()

    def end_oldest() -> None:
        most.append(len(head.dispatcher.open))
        number = next(iter(head.dispatcher.open))
        run_whole(head, engine.stores[number], Place("", 3))

    engine.on_wait = end_oldest
    head.follow_shares()
    assert list_blocks(run) == list(range(1, 8))
    assert max(most) == 3


def test_rows_tell_node_and_blocks_while_a_share_is_measured(run: Store, make_record: MakeRecord) -> None:
    head = Head(run, make_record, a_share(first=1, last=2))
    nodes = list[Node]()
    head.engine.on_start = lambda store, _place: nodes.append(head.play(store))
    head.script(lambda _: nodes[0].begin(), lambda _: nodes[0].close(1), lambda _: nodes[0].close_and_end(2))
    head.follow_shares()
    seen = [(row.node, row.done, row.blocks, row.state) for rows, _ in head.shown for row in rows]
    assert seen == [("n1", 0, 2, "waiting"), ("n1", 0, 2, "measuring"), ("n1", 1, 2, "measuring")]


def test_a_share_that_its_engine_has_lost_ends_after_its_last_sign_of_life(run: Store, make_record: MakeRecord) -> None:
    head = Head(run, make_record, a_share(first=1, last=3))

    def begin_and_vanish(store: ShareStore, _place: Place) -> None:
        node = head.play(store)
        node.begin()
        node.close(1)
        head.engine.states[store.number] = EngineState("gone", reason="Slurm: node fail")

    head.engine.on_start = begin_and_vanish
    head.follow_shares()
    assert list_blocks(run) == [1]
    (lost,) = head.dispatcher.failed
    assert (lost.how, lost.done, lost.reason) == ("lost", 1, "Slurm: node fail")
    assert head.engine.now_s > PATIENCE_S
    store = head.engine.stores[1, 1]
    assert store.is_withdrawn


def test_a_share_that_a_scheduler_forgot_goes_on_while_it_gives_signs_of_life(
    run: Store, make_record: MakeRecord
) -> None:
    head = Head(run, make_record, a_share(first=1, last=2))
    nodes = list[Node]()

    def begin_and_forget(store: ShareStore, _place: Place) -> None:
        nodes.append(head.play(store))
        nodes[0].begin()
        head.engine.states[store.number] = EngineState("gone")

    head.engine.on_start = begin_and_forget

    def live_on() -> None:
        nodes[0].store.renew_lease()
        if head.engine.now_s > 3 * PATIENCE_S:
            nodes[0].close(1)
            nodes[0].close(2)
            nodes[0].end()

    head.engine.on_wait = live_on
    head.follow_shares()
    assert list_blocks(run) == [1, 2]
    assert head.dispatcher.failed == []


def test_a_share_that_never_begins_is_withdrawn_so_that_it_cannot_begin_later(
    run: Store, make_record: MakeRecord
) -> None:
    head = Head(run, make_record, a_share())
    head.engine.states[1, 1] = EngineState("gone", reason="Slurm does not know it")
    head.follow_shares()
    (lost,) = head.dispatcher.failed
    assert (lost.how, lost.done) == ("lost", 0)
    assert not head.play(head.engine.stores[1, 1]).begin()


def test_a_running_share_without_a_sign_of_life_is_cancelled(run: Store, make_record: MakeRecord) -> None:
    head = Head(run, make_record, a_share())
    head.engine.on_start = lambda store, _place: head.play(store).begin()

    def end_cancelled() -> None:
        if head.engine.cancelled:
            head.engine.states[1, 1] = EngineState("gone")

    head.engine.on_wait = end_cancelled
    head.follow_shares()
    assert head.engine.cancelled == [((1, 1), False)]
    assert [(ended.how, ended.reason) for ended in head.dispatcher.failed] == [("lost", "no sign of life")]


def test_while_an_engine_does_not_answer_nothing_is_concluded(run: Store, make_record: MakeRecord) -> None:
    head = Head(run, make_record, a_share(first=1, last=1))
    head.engine.states[1, 1] = EngineState("unknown", reason="Slurm does not answer")

    def begin_late() -> None:
        if head.engine.now_s > 10 * PATIENCE_S:
            run_whole(head, head.engine.stores[1, 1], Place("n1", 1))

    head.engine.on_wait = begin_late
    head.follow_shares()
    assert list_blocks(run) == [1]


@pytest.mark.parametrize(("how", "reason"), [("failed", "other code"), ("interrupted", "stopped by SIGTERM")])
def test_the_end_that_a_node_states_is_kept_with_its_closed_blocks(
    run: Store, make_record: MakeRecord, how: str, reason: str
) -> None:
    head = Head(run, make_record, a_share(first=1, last=2))

    def end_early(store: ShareStore, _place: Place) -> None:
        node = head.play(store)
        node.begin()
        node.close(1)
        node.end(how, reason)

    head.engine.on_start = end_early
    head.follow_shares()
    assert [(ended.how, ended.reason, ended.done) for ended in head.dispatcher.failed] == [(how, reason, 1)]
    assert list_blocks(run) == [1]


def test_a_share_that_its_engine_has_stopped_has_the_cause(run: Store, make_record: MakeRecord) -> None:
    head = Head(run, make_record, a_share(first=1, last=2))

    def end_early(store: ShareStore, _place: Place) -> None:
        node = head.play(store)
        node.begin()
        node.end("interrupted", "stopped by SIGTERM")
        head.engine.states[store.number] = EngineState("running", "n1", "TimeLimit")

    head.engine.on_start = end_early
    head.follow_shares()
    assert [ended.reason for ended in head.dispatcher.failed] == ["stopped by SIGTERM; TimeLimit"]


def test_a_share_with_wrong_records_is_stopped_and_the_others_go_on(run: Store, make_record: MakeRecord) -> None:
    head = Head(run, make_record, a_share(1, first=1, last=2), a_share(2, first=3, last=4))

    def lie_in_the_first(store: ShareStore, place: Place) -> None:
        if store.number != (1, 1):
            return run_whole(head, store, place)
        node = head.play(store)
        node.begin()
        return node.close(1, placement=None)

    head.engine.on_start = lie_in_the_first
    head.follow_shares()
    assert list_blocks(run) == [3, 4]
    assert head.engine.cancelled == [((1, 1), False)]
    assert "is of another share" in head.dispatcher.failed[0].reason


def test_a_signal_ends_all_shares_and_what_they_have_closed_counts(run: Store, make_record: MakeRecord) -> None:
    head = Head(run, make_record, a_share(1, first=1, last=2), a_share(2, first=3, last=4), a_share(3, first=5, last=6))
    nodes = list[Node]()

    def begin(store: ShareStore, _place: Place) -> None:
        nodes.append(head.play(store))
        nodes[-1].begin()

    def close_and_stop(_: ObedientEngine) -> None:
        nodes[0].close(1)
        head.interrupts.received = signal.SIGINT

    def obey() -> None:
        for node in nodes:
            if node.store.is_withdrawn and node.store.read_end() is None:
                node.end("interrupted", "stopped by SIGTERM")

    head.engine.on_start, head.engine.on_wait = begin, obey
    head.script(close_and_stop)
    head.follow_shares()
    assert list_blocks(run) == [1]
    assert head.engine.cancelled == [((1, 1), False), ((2, 1), False)]
    assert [number for number, _ in head.engine.started] == [(1, 1), (2, 1)]
    assert {ended.how for ended in head.ended} == {"interrupted"}


def test_a_share_that_does_not_obey_is_killed_after_fifteen_seconds(run: Store, make_record: MakeRecord) -> None:
    head = Head(run, make_record, a_share())
    nodes = list[Node]()

    def begin(store: ShareStore, _place: Place) -> None:
        nodes.append(head.play(store))
        nodes[0].begin()

    def stay() -> None:
        head.interrupts.received = signal.SIGTERM
        nodes[0].store.renew_lease()

    head.engine.on_start, head.engine.on_wait = begin, stay
    head.follow_shares()
    assert head.engine.cancelled == [((1, 1), False), ((1, 1), True)]
    assert 15 <= head.engine.now_s < 25
    assert head.dispatcher.failed[0].reason == "it did not end in time"


def test_a_place_that_is_refused_gets_nothing_more_and_open_shares_go_on(run: Store, make_record: MakeRecord) -> None:
    head = Head(run, make_record, a_share(1, first=1, last=2), a_share(2, first=3, last=3))
    nodes = list[Node]()

    def refuse_second(store: ShareStore, place: Place) -> None:
        if place.name == "n2":
            raise UsageError("Slurm refuses: no such node")
        nodes.append(head.play(store))
        nodes[-1].begin()

    def measure() -> None:
        if head.engine.waits == 3:
            nodes[0].close(1)
            nodes[0].close_and_end(2)
        elif head.engine.waits > 3 and nodes[-1].store.read_end() is None:
            nodes[-1].close_and_end(3)

    head.engine.on_start, head.engine.on_wait = refuse_second, measure
    head.follow_shares()
    assert head.dispatcher.left_out == {Place("n2", 1): "Slurm refuses: no such node"}
    assert head.engine.started == [((1, 1), "n1"), ((2, 1), "n1")]
    assert (head.dispatcher.failed, head.engine.cancelled) == ([], [])
    assert list_blocks(run) == [1, 2, 3]


def test_shares_that_every_place_refuses_end_with_the_reason(run: Store, make_record: MakeRecord) -> None:
    head = Head(run, make_record, a_share(1, first=1, last=1), a_share(2, first=2, last=2))

    def refuse_second(store: ShareStore, place: Place) -> None:
        if store.number == (2, 1):
            raise UsageError("Slurm refuses: no such partition")
        run_whole(head, store, place)

    head.engine.on_start = refuse_second
    head.follow_shares()
    assert head.dispatcher.refusal == "Slurm refuses: no such partition"
    (failed,) = head.dispatcher.failed
    assert (failed.number, failed.how, failed.reason) == ((2, 1), "failed", "Slurm refuses: no such partition")
    assert head.dispatcher.open == {}
    assert list_blocks(run) == [1]
    assert not head.play(head.engine.stores[2, 1]).begin()


def test_a_share_that_a_scheduler_did_not_hear_of_is_started_again(run: Store, make_record: MakeRecord) -> None:
    head = Head(run, make_record, a_share(1, first=1, last=1), a_share(2, first=2, last=2))

    def answer_late(store: ShareStore, place: Place) -> None:
        if head.engine.now_s < PATIENCE_S * 2:
            raise EngineSilent("Slurm does not answer: timed out")
        run_whole(head, store, place)

    head.engine.on_start = answer_late
    head.follow_shares()
    assert list_blocks(run) == [1, 2]
    assert (head.dispatcher.failed, head.dispatcher.left_out, head.engine.cancelled) == ([], {}, [])
    rows = [row for rows, _ in head.shown for row in rows]
    assert {(row.state, row.reason) for row in rows} == {
        ("waiting", "Slurm does not answer: timed out"),
        ("waiting", ""),
    }


def test_a_share_that_a_silent_scheduler_has_taken_all_the_same_is_not_started_twice(
    run: Store, make_record: MakeRecord
) -> None:
    head = Head(run, make_record, a_share(1, first=1, last=1))

    def take_in_silence(store: ShareStore, _place: Place) -> None:
        head.engine.states[store.number] = EngineState("waiting", reason="Resources")
        raise EngineSilent("Slurm does not answer: timed out")

    def measure_late() -> None:
        if head.engine.now_s > PATIENCE_S:
            run_whole(head, head.engine.stores[1, 1], Place("n1", 1))

    head.engine.on_start, head.engine.on_wait = take_in_silence, measure_late
    head.follow_shares()
    assert (list_blocks(run), head.engine.started, head.dispatcher.failed) == ([1], [], [])


def test_a_place_on_which_shares_end_without_a_block_gets_no_third_one(run: Store, make_record: MakeRecord) -> None:
    specs = [a_share(number, first=number, last=number) for number in range(1, 9)]
    head = Head(run, make_record, *specs)

    def fail_on_first(store: ShareStore, place: Place) -> None:
        if place.name != "n1":
            return run_whole(head, store, place)
        node = head.play(store)
        node.begin()
        return node.end("failed", "no such module")

    head.engine.on_start = fail_on_first
    head.follow_shares()
    said = "2 attempts in a row on n1 ended without a block; the last one: no such module"
    assert head.dispatcher.left_out == {Place("n1", 1): said}
    assert [place for _, place in head.engine.started].count("n1") == 2
    assert len(list_blocks(run)) == 6


def choose_nodes(head: Head, *names: str, bad: Sequence[str]) -> list[str]:
    """Let the engine choose among nodes of these names, the first that is not excluded; return those it has chosen."""
    chosen = list[str]()

    def measure(store: ShareStore, place: Place) -> None:
        chosen.append(next(name for name in names if name not in place.excluded))
        node = Node(store, store.read_spec(), head.make_record, name=chosen[-1])
        head.engine.states[store.number] = EngineState("running", node.name)
        node.begin()
        if node.name in bad:
            node.end("failed", "no such module")
        else:
            node.close_and_end(node.spec.first)

    head.engine.on_start = measure
    return chosen


def test_a_node_that_the_engine_chooses_in_vain_is_excluded_and_others_go_on(
    run: Store, make_record: MakeRecord
) -> None:
    specs = [a_share(number, first=number, last=number) for number in range(1, 9)]
    head = Head(run, make_record, *specs, engine=ObedientEngine(places=[Place("", 2)]))
    chosen = choose_nodes(head, "n1", "n2", "n3", bad=["n1"])
    head.follow_shares()
    said = "2 attempts in a row on n1 ended without a block; the last one: no such module"
    assert (head.dispatcher.excluded, head.dispatcher.left_out) == ({"n1": said}, {})
    assert chosen == ["n1"] * 2 + ["n2"] * 6
    assert list_blocks(run) == [3, 4, 5, 6, 7, 8]


def test_nodes_that_are_chosen_in_vain_end_the_hand_out_once_they_are_as_many_as_run_at_once(
    run: Store, make_record: MakeRecord
) -> None:
    specs = [a_share(number, first=number, last=number) for number in range(1, 9)]
    head = Head(run, make_record, *specs, engine=ObedientEngine(places=[Place("", 2)]))
    chosen = choose_nodes(head, "n1", "n2", "n3", bad=["n1", "n2", "n3"])
    head.follow_shares()
    assert chosen == ["n1"] * 2 + ["n2"] * 2
    assert list(head.dispatcher.excluded) == ["n1", "n2"]
    (why,) = head.dispatcher.left_out.values()
    assert why.startswith("2 attempts in a row on n2 ended without a block")
    assert len(head.dispatcher.waiting) == 4


def test_a_share_that_stays_although_it_was_cancelled_is_killed_and_then_given_up(
    run: Store, make_record: MakeRecord
) -> None:
    head = Head(run, make_record, a_share(1, first=1, last=2), a_share(2, first=3, last=4))
    nodes = list[Node]()

    def stop_in_the_middle(store: ShareStore, place: Place) -> None:
        if store.number == (2, 1):
            return run_whole(head, store, place)
        nodes.append(head.play(store))
        nodes[0].begin()
        return nodes[0].close(1)

    head.engine.on_start = stop_in_the_middle
    head.follow_shares()
    assert head.engine.cancelled == [((1, 1), False), ((1, 1), True)]
    (lost,) = head.dispatcher.failed
    assert (lost.how, lost.done, lost.reason) == ("lost", 1, "no sign of life; it did not end in time")
    assert list_blocks(run) == [1, 3, 4]


def test_a_share_that_runs_but_never_begins_is_cancelled_once_it_has_run_for_long(
    run: Store, make_record: MakeRecord
) -> None:
    head = Head(run, make_record, a_share())
    head.engine.states[1, 1] = EngineState("waiting", reason="Resources")
    moments = list[float]()

    def run_late() -> None:
        if head.engine.cancelled:
            moments.append(head.engine.now_s)
            head.engine.states[1, 1] = EngineState("gone")
        elif head.engine.now_s > 10 * PATIENCE_S:
            head.engine.states[1, 1] = EngineState("running", "n1")

    head.engine.on_wait = run_late
    head.follow_shares()
    assert head.engine.cancelled == [((1, 1), False)]
    assert moments[0] > 11 * PATIENCE_S
    assert [(ended.how, ended.done) for ended in head.dispatcher.failed] == [("lost", 0)]


def test_shares_that_wait_when_a_signal_comes_take_no_time_to_end(run: Store, make_record: MakeRecord) -> None:
    head = Head(run, make_record, a_share())
    head.engine.states[1, 1] = EngineState("waiting", reason="Resources")

    def cancel() -> None:
        head.interrupts.received = signal.SIGINT
        if head.engine.cancelled:
            head.engine.states[1, 1] = EngineState("gone")

    head.engine.on_wait = cancel
    head.follow_shares()
    assert [ended.how for ended in head.ended] == ["interrupted"]
    assert head.engine.waits == 2


def test_blocks_that_a_file_server_shows_after_the_end_of_their_share_count(
    run: Store, make_record: MakeRecord
) -> None:
    head = Head(run, make_record, a_share(first=1, last=2))
    nodes = list[Node]()

    def end_first(store: ShareStore, _place: Place) -> None:
        nodes.append(head.play(store))
        nodes[0].begin()
        nodes[0].end()
        head.engine.states[store.number] = EngineState("gone")

    def show_late() -> None:
        if head.engine.waits == 3:
            nodes[0].close(1)
            nodes[0].close(2)

    head.engine.on_start, head.engine.on_wait = end_first, show_late
    head.follow_shares()
    assert (list_blocks(run), head.dispatcher.failed) == ([1, 2], [])


def test_blocks_that_never_arrive_are_named_although_their_share_has_finished(
    run: Store, make_record: MakeRecord
) -> None:
    head = Head(run, make_record, a_share(first=1, last=2))

    def end_first(store: ShareStore, _place: Place) -> None:
        node = head.play(store)
        node.begin()
        node.close_and_end(1)

    head.engine.on_start = end_first
    head.follow_shares()
    (failed,) = head.dispatcher.failed
    assert (failed.how, failed.done) == ("failed", 1)
    assert failed.reason == "its node has finished, but block 2 has not arrived here"
    assert head.engine.now_s > PATIENCE_S


def test_blocks_before_what_a_node_sent_wrongly_count(run: Store, make_record: MakeRecord) -> None:
    class WrongFiles(ObedientEngine):
        def fetch_files(self, attempt: ShareStore) -> None:
            raise UsageError("the node sent no file of a share")

    head = Head(run, make_record, a_share(first=1, last=2), engine=WrongFiles())

    def close_one(store: ShareStore, _place: Place) -> None:
        node = head.play(store)
        node.begin()
        node.close(1)

    head.engine.on_start = close_one
    head.follow_shares()
    assert list_blocks(run) == [1]
    assert [(each.done, each.reason) for each in head.dispatcher.failed] == [(1, "the node sent no file of a share")]


def test_a_share_without_a_log_has_the_folder_that_its_node_may_not_see(run: Store, make_record: MakeRecord) -> None:
    head = Head(run, make_record, a_share(folder="/home/me/runs/x/shares/1-1"))
    head.engine.states[1, 1] = EngineState("gone", "n1", reason="Slurm: failed (NonZeroExitCode)")
    head.follow_shares()
    assert head.dispatcher.failed[0].reason == (
        "Slurm: failed (NonZeroExitCode); it has written no log; check that its node sees /home/me/runs/x/shares/1-1"
    )


@pytest.mark.parametrize(("places", "started"), [([Place("", 2)], 1), ([Place("n1", 1), Place("n2", 1)], 1)])
def test_the_shares_of_an_earlier_head_take_up_places(
    run: Store, make_node: Callable[..., Node], places: list[Place], started: int
) -> None:
    node = make_node(first=1, last=1)
    node.begin()
    engine = ObedientEngine(places=places)
    specs = [a_share(number, first=number, last=number) for number in (2, 3)]
    head = Head(run, node.make_record, *specs, engine=engine)
    engine.states[1, 1] = EngineState("running", "n1")
    head.dispatcher.adopt_attempt(node.store, node.spec)
    counts = list[int]()

    def end_all() -> None:
        counts.append(len(engine.started))
        for attempt in list(head.dispatcher.open.values()):
            if attempt.store == node.store:
                node.close_and_end(1)
            else:
                run_whole(head, attempt.store, Place("n2", 1))

    head.dispatcher.look_at_all()
    engine.on_wait = end_all
    head.follow_shares()
    assert counts[0] == started
    assert list_blocks(run) == [1, 2, 3]


def test_a_place_that_takes_all_gets_the_shares_beyond_its_slots(run: Store, make_record: MakeRecord) -> None:
    specs = [a_share(number, first=number, last=number) for number in range(1, 6)]
    head = Head(run, make_record, *specs, engine=ObedientEngine(places=[Place("", 2, takes_all=True)]))
    head.engine.on_start = partial(run_whole, head)
    head.follow_shares()
    assert len(head.shown[0][0]) == 5


def test_an_attempt_of_an_earlier_head_is_followed_to_its_end(run: Store, make_node: Callable[..., Node]) -> None:
    node = make_node(first=1, last=2)
    node.begin()
    node.close(1)
    head = Head(run, node.make_record)
    head.engine.states[1, 1] = EngineState("running", "n1")
    head.dispatcher.adopt_attempt(node.store, node.spec)
    head.script(lambda _: node.close_and_end(2))
    head.follow_shares()
    assert list_blocks(run) == [1, 2]
    assert head.engine.started == []


def test_the_head_looks_less_often_at_many_shares(run: Store, make_record: MakeRecord) -> None:
    def measure_polls(shares: int) -> float:
        head = Head(run, make_record, engine=ObedientEngine(places=[Place("", shares)]))
        for number in range(1, shares + 1):
            head.dispatcher.adopt_attempt(ShareStore(run.folder / "shares" / f"{number}-1"), a_share(number))
        return head.dispatcher.choose_poll_s()

    few, many, most = map(measure_polls, (2, 500, 5000))
    assert (few, many, most) == (1.0, 10.0, 20.0)


def test_rows_come_with_the_number_of_shares_that_wait(run: Store, make_record: MakeRecord) -> None:
    specs: Sequence[ShareSpec] = [a_share(number, first=number, last=number) for number in range(1, 5)]
    head = Head(run, make_record, *specs)
    head.engine.on_start = partial(run_whole, head)
    head.follow_shares()
    assert [waiting for _, waiting in head.shown] == [2, 0, 0]
