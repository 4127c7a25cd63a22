"""Shares of a sweep on several machines. An engine places them; the same local code measures each.

An engine is one file in `engines/`, and no other module knows which there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from orchestrator.errors import UsageError
from orchestrator.processes.signals import Interrupts
from orchestrator.records.share_store import ShareStore

# The time that a share has to end after it was asked to, before it is killed.
CANCEL_GRACE_S: Final = 15.0

Number = tuple[int, int]
"""The numbers of a share and of an attempt at it."""

StateName = Literal["waiting", "running", "gone", "unknown"]


class EngineSilent(UsageError):
    """The engine does not answer now, and may have heard all the same."""


@dataclass(frozen=True, slots=True)
class Place:
    """A node, or nodes among which the engine chooses: then the name is empty. `slots`: shares at once.

    `takes_all`: it is handed all shares, and keeps those beyond its slots until there is room. `excluded` are the nodes
    that the engine must not choose.
    """

    name: str
    slots: int
    takes_all: bool = False
    excluded: frozenset[str] = frozenset()

    @property
    def is_choice(self) -> bool:
        """Return whether the engine chooses a node for each share when it starts."""
        return not self.name and not self.takes_all


@dataclass(frozen=True, slots=True)
class EngineState:
    """The state of an attempt as its engine tells it. `gone`: it neither runs nor will run.

    `is_final`: whatever its node still does, nothing more of it can arrive here.
    """

    name: StateName
    node: str = ""
    reason: str = ""
    is_final: bool = False


NOT_STARTED: Final = EngineState("waiting")


class Engine(Protocol):
    """A program that places shares on nodes. Each question and order is for many attempts at once."""

    def list_places(self) -> Sequence[Place]:
        """Return the places where shares may run.

        Raises:
            UsageError: there are none, or the engine does not answer.
        """

    def start_attempts(self, attempts: Sequence[ShareStore], place: Place) -> None:
        """Start attempts at a place. Their requests are in their folders.

        Raises:
            EngineSilent: the engine does not answer; it may have started some of them.
            UsageError: the engine refuses them.
        """

    def ask_states(self, attempts: Sequence[ShareStore]) -> Mapping[Number, EngineState]:
        """Return the states of attempts; one that the engine does not know is `gone`."""

    def cancel_attempts(self, attempts: Sequence[ShareStore], *, kill: bool) -> None:
        """Ask attempts to end, or kill them."""

    def fetch_files(self, attempt: ShareStore) -> None:
        """Bring the files of an attempt into its folder, if they are not there already.

        Raises:
            UsageError: its node has sent what no share may send.
        """

    def pass_time(self, seconds: float, interrupts: Interrupts | None = None) -> None:
        """Wait for so long, or until a signal comes, and meanwhile feed what has to be fed."""

    def end_processes(self) -> None:
        """End what the engine has started on this machine."""
