"""The reader of a run that may still be growing: each record is evaluated once, and again only if its file changes."""

import gc
import importlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType

from orchestrator.analysis.derivation.process import Process, derive_processes, make_process, sort_processes
from orchestrator.errors import UsageError
from orchestrator.records import store
from orchestrator.records.store import Stamp
from schemas.record import JobRecord

# Of fewer records than this, reading all is as quick as importing the library that reads an index of them.
LEAST_INDEXED = 500


@dataclass(slots=True)
class RunReader:
    """The processes of one run by block, position and attempt, and what cannot be read, each with the reason."""

    place: store.Store
    processes: tuple[Process, ...] = ()
    skipped: tuple[str, ...] = ()
    revision: int = 0
    """The number of times that something had changed."""
    _stamps: Mapping[str, Stamp] = field(default_factory=dict)
    _found: dict[str, Process | str] = field(default_factory=dict)

    def refresh(self) -> bool:
        """Evaluate the records that are new or have changed; return whether there were any.

        Those of a large run are looked up in its index first, and the index is written anew. A stamp is taken before
        its record is read: one that changes in between is read again.
        """
        stamps = self.place.list_record_stamps()
        if stamps == self._stamps:
            return False
        with pause_collector():
            self._evaluate_new(stamps)
        self._stamps, self.revision = stamps, self.revision + 1
        return True

    def _evaluate_new(self, stamps: Mapping[str, Stamp]) -> None:
        known = self._list_unchanged(stamps)
        index = import_index() if len(stamps) - len(known) >= LEAST_INDEXED else None
        indexed = index.read_index(self.place, stamps) if index else {}
        known |= indexed
        self._found = {name: known.get(name) or self._evaluate(name) for name in stamps}
        self.processes = sort_processes(each for each in self._found.values() if isinstance(each, Process))
        self.skipped = tuple(each for each in self._found.values() if isinstance(each, str))
        if index and len(indexed) < len(self.processes):
            index.write_index(self.place, self.processes, stamps)

    def _list_unchanged(self, stamps: Mapping[str, Stamp]) -> dict[str, Process | str]:
        """Return what was found of each file that is as it was."""
        return {name: self._found[name] for name, stamp in stamps.items() if self._stamps.get(name) == stamp}

    def _evaluate(self, name: str) -> Process | str:
        """Return what is derived of a record, or why it cannot be read."""
        path = self.place.jobs_folder / name
        try:
            return make_process(store.read_record(path), name)
        except UsageError as error:
            return str(error).replace(str(path), name)
        except (ArithmeticError, ValueError) as error:
            return f"{name} has numbers that nothing can be derived of ({error})"


@contextmanager
def pause_collector() -> Iterator[None]:
    """Keep the garbage collector from looking again and again at all that is being made, none of which is garbage."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def index_records(place: store.Store, records: Iterable[JobRecord]) -> None:
    """Write the index of a large run whose records are still in memory, so that nobody needs to read them for it.

    It has those that were written by way of this store: their stamps are those of what is in memory.
    """
    if len(place.written) >= LEAST_INDEXED and (index := import_index()):
        processes = [each for each in derive_processes(records) if each.file in place.written]
        index.write_index(place, processes, place.written)


def import_index() -> ModuleType | None:
    """Import the module that reads and writes an index; None if its library is not installed."""
    try:
        return importlib.import_module("orchestrator.analysis.derivation.record_index")
    except ImportError:
        return None
