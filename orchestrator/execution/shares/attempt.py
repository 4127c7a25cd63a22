"""One attempt at a share, as the head follows it."""

from dataclasses import dataclass
from typing import Literal

from orchestrator.execution.shares import CANCEL_GRACE_S, NOT_STARTED, EngineState, Number, Place
from orchestrator.records.share_store import ShareStore
from schemas.share import ShareSpec

How = Literal["finished", "interrupted", "failed", "lost"]


@dataclass(frozen=True, slots=True)
class ShareRow:
    """A share for a person: its node, how many of its blocks have been collected, and its state."""

    number: Number
    node: str
    done: int
    blocks: int
    state: str
    reason: str = ""


@dataclass(slots=True)
class Attempt:
    """An attempt that is not over. `heard_s`: when its node last gave a sign of life.

    One that an earlier head has handed out has no place.
    """

    store: ShareStore
    spec: ShareSpec
    heard_s: float
    place: Place | None = None
    node: str = ""
    state: EngineState = NOT_STARTED
    done: int = 0
    pulse: tuple[int, int] = (0, 0)
    is_started: bool = True
    """The engine has taken it."""
    refusal: str = ""
    """The reason why the engine has not taken it."""
    is_barred: bool = False
    """No node can begin it any more."""
    cancelled_s: float | None = None
    killed_s: float | None = None
    ended_s: float | None = None
    """The time when the head has seen its end, before all that it has closed."""

    @property
    def blocks(self) -> int:
        """The number of its blocks."""
        return self.spec.last - self.spec.first + 1

    @property
    def has_begun(self) -> bool:
        """Return whether a node has taken the lease."""
        return self.pulse[0] != 0

    @property
    def is_unheard(self) -> bool:
        """Return whether the engine does not know of it."""
        return not self.is_started and self.state.name == "gone"

    def is_late(self, now_s: float) -> bool:
        """Return whether it has had its time to end, and was not killed yet."""
        return self.killed_s is None and self.cancelled_s is not None and now_s - self.cancelled_s > CANCEL_GRACE_S

    def note_start(self, place: Place, now_s: float) -> None:
        """Note that the engine is asked to start it at a place."""
        self.place, self.node, self.heard_s = place, place.name, now_s
        self.state, self.is_started, self.refusal = NOT_STARTED, True, ""

    def note_refusal(self, reason: str) -> None:
        """Note that the engine has not taken it, or has not said so; its state is unknown until the engine is asked."""
        self.node, self.state, self.is_started, self.refusal = "", EngineState("unknown"), False, reason

    def note_state(self, state: EngineState, now_s: float) -> None:
        """Note what the engine says. The patience with a share begins when the share does."""
        if state.name == "running" and self.state.name != "running" and not self.has_begun:
            self.heard_s = now_s
        self.state = state
        if state.name in ("waiting", "running"):
            self.is_started, self.refusal = True, ""

    def note_pulse(self, now_s: float) -> None:
        """Note a sign of life, by the clock of this machine: that of the node may be another."""
        if self.is_barred:
            return  # the lease is the head's own
        if (pulse := self.store.read_pulse()) != self.pulse:
            self.pulse, self.heard_s = pulse, now_s
        if self.has_begun:
            self.is_started = True
            if not self.node:
                lease = self.store.read_lease()
                self.node = (lease.node if lease else "") or self.state.node

    def bar_node(self) -> None:
        """Ask its node to end it, or keep it from beginning."""
        self.is_barred = self.store.withdraw_attempt() or self.is_barred

    def to_row(self) -> ShareRow:
        """Return what a person sees of it."""
        if self.cancelled_s is not None:
            state = "ending"
        elif self.has_begun:
            state = "measuring"
        else:
            state = self.state.name if self.is_started else "waiting"
        node = self.node or self.state.node
        return ShareRow(self.store.number, node, self.done, self.blocks, state, self.refusal or self.state.reason)


@dataclass(frozen=True, slots=True)
class EndedAttempt:
    """An attempt that is over."""

    number: Number
    node: str
    how: How
    reason: str
    first: int
    last: int
    done: int
