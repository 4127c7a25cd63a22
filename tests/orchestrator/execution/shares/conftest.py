"""Doubles of nodes and engines: shares whose records are written at once, and engines that obey a test."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.execution.shares import EngineState, Number, Place
from orchestrator.processes.signals import Interrupts
from orchestrator.records import store
from orchestrator.records.share_store import ShareStore, open_attempt
from orchestrator.records.store import Store
from schemas.job import Cell
from schemas.record import Identity, JobRecord, Placement
from schemas.share import Lease, ShareEnd, ShareSpec
from schemas.sweep import SweepSpec
from tests.orchestrator.conftest import NOON, a_cell

CELLS = (a_cell("numpy:eager"), a_cell("synthetic:spin"))
IDS = frozenset(cell.id for cell in CELLS)


def a_share(share: int = 1, attempt: int = 1, first: int = 1, last: int = 2, **changes: object) -> ShareSpec:
    plain: dict[str, object] = {
        "run": "a-run",
        "share": share,
        "attempt": attempt,
        "first": first,
        "last": last,
        "sweep": SweepSpec(),
        "seed": 1,
        "identity": Identity(sweep="s", code="c"),
    }
    return ShareSpec.model_validate(plain | changes)


@dataclass
class Node:
    """A node that measures nothing: it writes the files of a share as a real one does."""

    store: ShareStore
    spec: ShareSpec
    make_record: Callable[..., JobRecord]
    cells: Sequence[Cell] = CELLS
    name: str = "n1"

    def begin(self) -> bool:
        return self.store.take_lease(Lease(node=self.name, pid=1))

    def measure(self, block: int, **changes: object) -> list[JobRecord]:
        placed = Placement(node=self.name, share=self.spec.share, attempt=self.spec.attempt)
        records = [self.make_record(cell, block, **({"placement": placed} | changes)) for cell in self.cells]
        for record in records:
            self.store.run.write_record(record)
        return records

    def close(self, block: int, **changes: object) -> None:
        self.store.close_block(block, self.measure(block, **changes))

    def close_and_end(self, block: int) -> None:
        self.close(block)
        self.end()

    def end(self, how: str = "finished", reason: str = "") -> None:
        self.store.write_end(ShareEnd.model_validate({"how": how, "reason": reason}))


@pytest.fixture
def run(tmp_path: Path) -> Store:
    """The folder of a run without records."""
    return store.create_run(tmp_path / "runs", "mine", NOON)


@pytest.fixture
def make_node(run: Store, make_record: Callable[..., JobRecord]) -> Callable[..., Node]:
    """Makes the folder of an attempt, with a node that plays it."""

    def make(spec: ShareSpec | None = None, **changes: object) -> Node:
        spec = spec or a_share(**changes)  # type: ignore[arg-type]
        place = open_attempt(run, spec.share, spec.attempt)
        place.make_folders()
        place.write_spec(spec)
        return Node(place, spec, make_record)

    return make


@dataclass
class ObedientEngine:
    """An engine on which a test acts at each wait; it also moves the clock."""

    places: Sequence[Place] = (Place("n1", 1), Place("n2", 1))
    acts: Iterator[Callable[["ObedientEngine"], object]] = field(default_factory=lambda: iter(()))
    states: dict[Number, EngineState] = field(default_factory=dict)
    started: list[tuple[Number, str]] = field(default_factory=list)
    cancelled: list[tuple[Number, bool]] = field(default_factory=list)
    stores: dict[Number, ShareStore] = field(default_factory=dict)
    now_s: float = 0.0
    waits: int = 0
    asked: int = 0
    is_closed: bool = False
    on_start: Callable[[ShareStore, Place], object] = lambda _store, _place: None
    on_fetch: Callable[[ShareStore], object] = lambda _store: None
    on_wait: Callable[[], object] = lambda: None

    def clock(self) -> float:
        return self.now_s

    def list_places(self) -> Sequence[Place]:
        self.asked += 1
        return self.places

    def start_attempts(self, attempts: Sequence[ShareStore], place: Place) -> None:
        self.stores.update((each.number, each) for each in attempts)
        for each in attempts:
            self.on_start(each, place)
            self.started.append((each.number, place.name))
            self.states.setdefault(each.number, EngineState("running", place.name))

    def ask_states(self, attempts: Sequence[ShareStore]) -> Mapping[Number, EngineState]:
        return {each.number: self.states[each.number] for each in attempts if each.number in self.states}

    def cancel_attempts(self, attempts: Sequence[ShareStore], *, kill: bool) -> None:
        self.cancelled += [(each.number, kill) for each in attempts]

    def fetch_files(self, attempt: ShareStore) -> None:
        self.on_fetch(attempt)

    def pass_time(self, seconds: float, interrupts: Interrupts | None = None) -> None:
        self.now_s += seconds
        self.waits += 1
        assert self.waits < 10_000, "the head waits for ever"
        self.on_wait()
        if (act := next(self.acts, None)) is not None:
            act(self)

    def end_processes(self) -> None:
        self.is_closed = True
