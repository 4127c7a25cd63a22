"""The head of a run on several machines: hands out shares, follows them, and collects what they have measured."""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.execution.shares import CANCEL_GRACE_S, Engine, EngineState, Number, Place
from orchestrator.execution.shares.attempt import Attempt, EndedAttempt, How, ShareRow
from orchestrator.execution.shares.collector import Collector, WrongBlock
from orchestrator.execution.shares.returns import PULSE_S
from orchestrator.processes.signals import Interrupts
from orchestrator.records.share_store import ShareStore, open_attempt
from orchestrator.records.store import Store
from schemas.share import Lease, ShareSpec

# The head looks at its shares so often, and less often if there are many.
LEAST_POLL_S: Final = 1.0
MOST_POLL_S: Final = 20.0
SHARES_PER_POLL_S: Final = 50

# Signs of life that are missing from a cancelled share that its engine no longer knows: then it has ended.
SILENT_PULSES: Final = 2

# The time after a kill in which an engine may still name an attempt.
KILL_GRACE_S: Final = 5.0

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

    def adopt_attempt(self, store: ShareStore, spec: ShareSpec) -> None:
        """Follow an attempt that an earlier head has handed out."""
        self.open[store.number] = Attempt(store, spec, self.clock())

    def follow_shares(self, interrupts: Interrupts, show: Callable[[Sequence[ShareRow], int], None]) -> None:
        """Hand out all shares, and follow them until each is over, or a signal comes. `show` gets the rows.

        Raises:
            UsageError: the engine refuses shares.
            OSError: the run cannot be written to.
        """
        try:
            self._look_at_all()  # what an earlier head has left may be over by now
            while (self.waiting or self.open) and interrupts.received is None:
                self._start_waiting()
                show(self._list_rows(), len(self.waiting))
                self.engine.pass_time(self.choose_poll_s(), interrupts)
                self._look_at_all()
        finally:
            if self.open:
                self._cancel_all()
            show(self._list_rows(), len(self.waiting))

    def choose_poll_s(self) -> float:
        """Return the time until the next look: longer with many shares, so that each costs as much as with few."""
        return min(MOST_POLL_S, max(LEAST_POLL_S, len(self.open) / SHARES_PER_POLL_S))

    def _list_rows(self) -> list[ShareRow]:
        return [attempt.to_row() for attempt in self.open.values()]

    def _start_waiting(self) -> None:
        used = Counter(attempt.place for attempt in self.open.values())
        for place in self.places:
            free = min(place.slots - used[place], len(self.waiting))
            begun = [self._begin_attempt(self.waiting.popleft()(), place) for _ in range(free)]
            if begun:
                self.engine.start_attempts(begun, place)

    def _begin_attempt(self, spec: ShareSpec, place: Place) -> ShareStore:
        """Make the folder of an attempt, before its engine hears of it: nothing is started that no file names."""
        store = open_attempt(self.run, spec.share, spec.attempt)
        store.make_folders()
        store.write_spec(spec)
        self.open[store.number] = Attempt(store, spec, self.clock(), place, place.name)
        return store

    def _look_at_all(self) -> None:
        """Look at all open attempts once."""
        if not self.open:
            return
        states = self.engine.ask_states([attempt.store for attempt in self.open.values()])
        for attempt in list(self.open.values()):
            attempt.state = states.get(attempt.store.number, GONE)
            self._look_at_attempt(attempt)

    def _look_at_attempt(self, attempt: Attempt) -> None:
        try:
            self.engine.fetch_files(attempt.store)
            # The end first: all blocks that a node has closed before it are there by then.
            end = attempt.store.read_end()
            attempt.done = self.collector.collect_blocks(attempt.store, attempt.spec, attempt.done)
        except (WrongBlock, UsageError) as error:
            self._stop_attempts([attempt])
            self._conclude_attempt(attempt, "failed", str(error))
            return
        attempt.note_pulse(self.clock())
        if end is not None:
            self._conclude_attempt(attempt, end.how, end.reason)
        else:
            self._look_for_loss(attempt)

    def _look_for_loss(self, attempt: Attempt) -> None:
        """Conclude an attempt that can give no further sign of life, and cancel one that gives none."""
        is_silent = attempt.state.is_final or self.clock() - attempt.heard_s > self.patience_s
        if attempt.state.name == "gone" and not attempt.has_begun:
            # The first to take the lease decides: a node that comes later finds it taken.
            if attempt.store.take_lease(Lease(withdrawn=True)):
                self._conclude_attempt(attempt, "lost", self._explain_loss(attempt))
        elif attempt.state.name == "gone" and is_silent:
            self._conclude_attempt(attempt, "lost", self._explain_loss(attempt))
        elif attempt.has_begun and is_silent and not attempt.is_cancelled:
            self._stop_attempts([attempt])

    def _explain_loss(self, attempt: Attempt) -> str:
        known = attempt.state.reason or ("no sign of life" if attempt.is_cancelled else "")
        said = attempt.store.read_last_line()
        return "; ".join(filter(None, [known, said])) or "it ended without a word"

    def _stop_attempts(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            attempt.is_cancelled = True
            with suppress(OSError):  # on a full disk there is the engine
                attempt.store.withdraw_attempt()
        self.engine.cancel_attempts([attempt.store for attempt in attempts], kill=False)

    def _conclude_attempt(self, attempt: Attempt, how: How, reason: str) -> None:
        number, spec = attempt.store.number, attempt.spec
        if how == "lost":
            with suppress(OSError):
                attempt.store.withdraw_attempt()
        ended = EndedAttempt(number, attempt.node, how, reason, spec.first, spec.last, attempt.done)
        del self.open[number]
        if how != "finished":
            self.failed.append(ended)
        self.on_ended(ended, attempt.store)

    def _cancel_all(self) -> None:
        """End all open attempts: ask, wait, and kill those that are left. Their closed blocks count."""
        self._stop_attempts([*self.open.values()])
        self._await_end(CANCEL_GRACE_S)
        if self.open:
            self.engine.cancel_attempts([attempt.store for attempt in self.open.values()], kill=True)
            self._await_end(KILL_GRACE_S)
        for attempt in list(self.open.values()):
            self._conclude_attempt(attempt, "lost", "it did not end in time")

    def _await_end(self, seconds: float) -> None:
        until = self.clock() + seconds
        while self.open and self.clock() < until:
            with suppress(OSError):
                self._look_at_all()
            self._conclude_gone()
            if self.open:
                self.engine.pass_time(LEAST_POLL_S / 2)

    def _conclude_gone(self) -> None:
        """Conclude the cancelled attempts that their engine no longer knows, and that give no sign of life."""
        silent_s = min(self.patience_s, SILENT_PULSES * PULSE_S)
        for attempt in list(self.open.values()):
            is_silent = not attempt.has_begun or self.clock() - attempt.heard_s > silent_s
            if attempt.state.name == "gone" and (is_silent or attempt.state.is_final):
                self._conclude_attempt(attempt, "interrupted", "the head has stopped it")
