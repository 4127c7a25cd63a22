"""One attempt at a share, as the head follows it."""

from dataclasses import dataclass
from typing import Literal

from orchestrator.execution.shares import NOT_STARTED, EngineState, Number, Place
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
    """An attempt that has been handed out and is not over. `heard_s`: when its node last gave a sign of life.

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
    is_cancelled: bool = False

    @property
    def has_begun(self) -> bool:
        """Return whether a node has taken the lease."""
        return self.pulse[0] != 0

    def note_pulse(self, now_s: float) -> None:
        """Note a sign of life, by the clock of this machine: that of the node may be another."""
        if (pulse := self.store.read_pulse()) != self.pulse:
            self.pulse, self.heard_s = pulse, now_s
        if not self.node and self.has_begun:
            lease = self.store.read_lease()
            self.node = (lease.node if lease else "") or self.state.node

    def to_row(self) -> ShareRow:
        """Return what a person sees of it."""
        state = "ending" if self.is_cancelled else "measuring" if self.has_begun else self.state.name
        blocks = self.spec.last - self.spec.first + 1
        return ShareRow(self.store.number, self.node or self.state.node, self.done, blocks, state, self.state.reason)


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
