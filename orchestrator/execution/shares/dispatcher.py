"""The head of a run on several machines: hands out shares, follows them, and collects what they have measured."""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.execution.shares import Engine, EngineSilent, EngineState, Number, Place
from orchestrator.execution.shares.attempt import Attempt, EndedAttempt, How, ShareRow
from orchestrator.execution.shares.collector import Collector, WrongBlock
from orchestrator.execution.shares.returns import PULSE_S
from orchestrator.processes.signals import Interrupts
from orchestrator.records.share_store import ShareStore, open_attempt
from orchestrator.records.store import Store
from schemas.share import Lease, ShareEnd, ShareSpec

# The head looks at its shares so often, and less often if there are many.
LEAST_POLL_S: Final = 1.0
MOST_POLL_S: Final = 20.0
SHARES_PER_POLL_S: Final = 50

# Signs of life that are missing from a cancelled share that its engine no longer knows: then it has ended.
SILENT_PULSES: Final = 2

# The time after a kill in which an engine may still name an attempt.
KILL_GRACE_S: Final = 5.0

# Attempts in a row on one node that end without a block: then something is wrong with it.
MOST_FRUITLESS: Final = 2

GONE: Final = EngineState("gone")


@dataclass(slots=True)
class Dispatcher:
    """The hand-out of shares to places. `waiting` are the requests that have no place yet, made when they get one."""

    run: Store
    engine: Engine
    collector: Collector
    patience_s: float
    waiting: deque[Callable[[], ShareSpec]] = field(default_factory=deque)
    places: Sequence[Place] = ()
    clock: Callable[[], float] = time.monotonic
    on_ended: Callable[[EndedAttempt, ShareStore], None] = lambda _ended, _store: None
    open: dict[Number, Attempt] = field(default_factory=dict)
    failed: list[EndedAttempt] = field(default_factory=list)
    """The attempts that have ended without all their blocks."""
    left_out: dict[Place, str] = field(default_factory=dict)
    """The places that get no more shares, with the reason."""
    excluded: dict[str, str] = field(default_factory=dict)
    """The nodes that an engine must not choose any more, with the reason."""
    refusal: str = ""
    """The last refusal of the engine."""
    is_ending: bool = False
    _fruitless: Counter[str] = field(default_factory=Counter)

    def adopt_attempt(self, store: ShareStore, spec: ShareSpec) -> None:
        """Follow an attempt that an earlier head has handed out."""
        self.open[store.number] = Attempt(store, spec, self.clock())

    def follow_shares(self, interrupts: Interrupts, show: Callable[[Sequence[ShareRow], int], None]) -> None:
        """Hand out all shares, and follow them until each is over, or a signal comes. `show` gets the rows.

        Shares that no place is left for end as failed.

        Raises:
            OSError: the run cannot be written to.
        """
        try:
            while self._has_work() and interrupts.received is None:
                self._hand_out()
                show(self._list_rows(), len(self.waiting))
                self.engine.pass_time(self.choose_poll_s(), interrupts)
                self.look_at_all()
                self._press_cancelled()
        finally:
            if self.open:
                self._cancel_all()
            show(self._list_rows(), len(self.waiting))

    def _has_work(self) -> bool:
        """Return whether a share runs, or can be handed out."""
        has_place = len(self.left_out) < len(self.places)
        return any(attempt.is_started or has_place for attempt in self.open.values()) or (
            has_place and bool(self.waiting)
        )

    def choose_poll_s(self) -> float:
        """Return the time until the next look: longer with many shares, so that each costs as much as with few."""
        return min(MOST_POLL_S, max(LEAST_POLL_S, len(self.open) / SHARES_PER_POLL_S))

    def _list_rows(self) -> list[ShareRow]:
        return [attempt.to_row() for attempt in self.open.values()]

    # The hand-out

    def _hand_out(self) -> None:
        """Start shares at free places, those first of which the engine has not heard."""
        unheard = deque(attempt for attempt in self.open.values() if attempt.is_unheard)
        used = Counter(self._find_place(attempt) for attempt in self.open.values() if not attempt.is_unheard)
        for place in self.places:
            left = 0 if place in self.left_out else len(unheard) + len(self.waiting)
            free = left if place.takes_all else min(left, place.slots - used[place])
            if begun := [unheard.popleft() if unheard else self._make_attempt() for _ in range(free)]:
                self._start_attempts(begun, place)

    def _find_place(self, attempt: Attempt) -> Place | None:
        """Return the place that an attempt takes up: that of an earlier head is known by its node."""
        names = ("", attempt.node or attempt.state.node)
        return attempt.place or next((place for place in self.places if place.name in names), None)

    def _make_attempt(self) -> Attempt:
        """Make the folder of an attempt, before its engine hears of it: nothing is started that no file names."""
        spec = self.waiting.popleft()()
        store = open_attempt(self.run, spec.share, spec.attempt)
        store.make_folders()
        store.write_spec(spec)
        self.open[store.number] = Attempt(store, spec, self.clock())
        return self.open[store.number]

    def _start_attempts(self, attempts: Sequence[Attempt], place: Place) -> None:
        """Start attempts at a place. If they are refused there, others may take them."""
        for attempt in attempts:
            attempt.note_start(place, self.clock())
        try:
            self.engine.start_attempts([attempt.store for attempt in attempts], self._exclude_nodes(place))
        except UsageError as error:
            for attempt in attempts:
                attempt.note_refusal(str(error))
            if not isinstance(error, EngineSilent):
                self.refusal = self.left_out[place] = str(error)

    def _exclude_nodes(self, place: Place) -> Place:
        """Return a place without the nodes that its engine must not choose."""
        return replace(place, excluded=frozenset(self.excluded)) if place.is_choice else place

    def _note_fruits(self, attempt: Attempt, reason: str) -> None:
        """Leave out a node on which one attempt after another ends without a block.

        Where the engine chooses the nodes, this one is excluded, and the place goes on while it has another one.
        """
        if attempt.place is None or self.is_ending:
            return
        node = attempt.node or attempt.state.node
        self._fruitless[node] = 0 if attempt.done else self._fruitless[node] + 1
        if self._fruitless[node] >= MOST_FRUITLESS:
            where = f" on {node}" if node else ""
            why = f"{MOST_FRUITLESS} attempts in a row{where} ended without a block; the last one: {reason}"
            is_excluded = attempt.place.is_choice and bool(node)
            if is_excluded:
                self.excluded.setdefault(node, why)
            if not is_excluded or len(self.excluded) >= attempt.place.slots:
                self.left_out.setdefault(attempt.place, why)

    # The looks

    def look_at_all(self) -> None:
        """Look at all open attempts once."""
        if not self.open:
            return
        states, now_s = self.engine.ask_states([attempt.store for attempt in self.open.values()]), self.clock()
        for attempt in list(self.open.values()):
            attempt.note_state(states.get(attempt.store.number, GONE), now_s)
            if not attempt.is_started:
                attempt.note_pulse(now_s)
            if attempt.is_started:
                self._look_at_attempt(attempt)

    def _look_at_attempt(self, attempt: Attempt) -> None:
        problem = fetch_files(self.engine, attempt.store)
        # The end first: all blocks that a node has closed before it are there by then.
        if (end := attempt.store.read_end()) is not None:
            attempt.store.count_closed()  # a listing shows what a file server has received since the last one
        try:
            attempt.done = self.collector.collect_blocks(attempt.store, attempt.spec, attempt.done)
        except WrongBlock as error:
            problem = problem or str(error)
        attempt.note_pulse(self.clock())
        if problem:
            self._stop_attempts([attempt])
            self._conclude_attempt(attempt, "failed", problem)
        elif end is None:
            self._look_for_loss(attempt)
        elif end.how != "finished" or attempt.done == attempt.blocks:
            self._conclude_attempt(attempt, end.how, explain_end(end, attempt.state))
        else:
            self._look_for_rest(attempt)

    def _look_for_rest(self, attempt: Attempt) -> None:
        """Wait for the blocks of an attempt that has finished: a file server may show them later than its end."""
        now_s = self.clock()
        attempt.ended_s = now_s if attempt.ended_s is None else attempt.ended_s
        if attempt.state.is_final or now_s - attempt.ended_s > self.patience_s:
            block = attempt.spec.first + attempt.done
            self._conclude_attempt(attempt, "failed", f"its node has finished, but block {block} has not arrived here")

    def _look_for_loss(self, attempt: Attempt) -> None:
        """Conclude an attempt that can give no further sign of life, and cancel one that gives none."""
        is_silent = attempt.state.is_final or self.clock() - attempt.heard_s > self.patience_s
        if attempt.state.name == "gone":
            if is_silent if attempt.has_begun else self._may_give_up(attempt):
                self._conclude_attempt(attempt, "lost", self._explain_loss(attempt))
        elif is_silent and (attempt.has_begun or attempt.state.name == "running") and attempt.cancelled_s is None:
            self._stop_attempts([attempt])

    def _may_give_up(self, attempt: Attempt) -> bool:
        """Return whether an attempt that has not begun never will: the first to take its lease decides."""
        return not self.is_ending and (attempt.is_barred or attempt.store.take_lease(Lease(withdrawn=True)))

    def _explain_loss(self, attempt: Attempt) -> str:
        known = attempt.state.reason or ("no sign of life" if attempt.cancelled_s is not None else "")
        said = attempt.store.read_last_line() or self._explain_silence(attempt)
        return "; ".join(filter(None, [known, said])) or "it ended without a word"

    def _explain_silence(self, attempt: Attempt) -> str:
        """Return what a node that has printed nothing may lack; empty if no node had it."""
        if attempt.has_begun or not attempt.spec.folder or not attempt.state.node:
            return ""
        return f"it has written no log; check that its node sees {attempt.spec.folder}"

    # The end

    def _stop_attempts(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            attempt.cancelled_s = self.clock()
            with suppress(OSError):  # on a full disk there is the engine
                attempt.bar_node()
        self.engine.cancel_attempts([attempt.store for attempt in attempts], kill=False)

    def _press_cancelled(self) -> None:
        """Kill the cancelled attempts that have not ended in time, and give up those that stay even then."""
        now_s, late = self.clock(), list[ShareStore]()
        for attempt in list(self.open.values()):
            if attempt.killed_s is not None and now_s - attempt.killed_s > KILL_GRACE_S:
                known = "" if self.is_ending else f"{self._explain_loss(attempt)}; "
                self._conclude_attempt(attempt, "lost", f"{known}it did not end in time")
            elif attempt.is_late(now_s):
                attempt.killed_s = now_s
                late.append(attempt.store)
        if late:
            self.engine.cancel_attempts(late, kill=True)

    def _conclude_attempt(self, attempt: Attempt, how: How, reason: str) -> None:
        number, spec = attempt.store.number, attempt.spec
        if how == "lost":
            with suppress(OSError):
                attempt.bar_node()
        ended = EndedAttempt(number, attempt.node, how, reason, spec.first, spec.last, attempt.done)
        del self.open[number]
        if how != "finished":
            self.failed.append(ended)
        self._note_fruits(attempt, reason)
        self.on_ended(ended, attempt.store)

    def _cancel_all(self) -> None:
        """End all open attempts: ask, wait, and kill those that are left. Their closed blocks count."""
        self.is_ending = True
        if asked := [attempt for attempt in self.open.values() if attempt.cancelled_s is None]:
            self._stop_attempts(asked)
        while self.open:
            for step in (self.look_at_all, self._conclude_gone, self._press_cancelled):
                with suppress(OSError):
                    step()
            if self.open:
                self.engine.pass_time(LEAST_POLL_S / 2)

    def _conclude_gone(self) -> None:
        """Conclude the cancelled attempts that their engine no longer knows, and that give no sign of life."""
        silent_s = min(self.patience_s, SILENT_PULSES * PULSE_S)
        for attempt in list(self.open.values()):
            is_silent = not attempt.has_begun or self.clock() - attempt.heard_s > silent_s
            if attempt.refusal and not attempt.has_begun:
                self._conclude_attempt(attempt, "failed", attempt.refusal)
            elif attempt.state.name == "gone" and (is_silent or attempt.state.is_final):
                self._conclude_attempt(attempt, "interrupted", "the head has stopped it")


def explain_end(end: ShareEnd, state: EngineState) -> str:
    """Return why an attempt has ended: its node knows the signal that has stopped it, and its engine the cause."""
    cause = state.reason if end.how == "interrupted" else ""
    return "; ".join(filter(None, [end.reason, cause]))


def fetch_files(engine: Engine, store: ShareStore) -> str:
    """Bring the files of an attempt into its folder; return what its node has sent wrongly. What came before it counts.

    Raises:
        OSError: the folder cannot be written to.
    """
    try:
        engine.fetch_files(store)
    except UsageError as error:
        return str(error)
    return ""
