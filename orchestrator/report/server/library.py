"""The runs of a folder as the server keeps them: read once, and again only where files have changed."""

import time
from collections.abc import Collection, Hashable
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.analysis.derivation.run_reader import RunReader
from orchestrator.analysis.run import Run
from orchestrator.errors import UsageError
from orchestrator.format import to_printable
from orchestrator.records import store
from orchestrator.records.run_listing import RunListing
from orchestrator.records.store import NO_STAMP, Stamp, Store
from schemas.machine_type import identify_type
from schemas.record import Manifest

# Runs whose records are kept in memory, and the time after which the same run is looked at again.
MAX_OPEN_RUNS = 4
FRESH_S = 1.0

# Each kind of work for a running sweep is done again after at least so many times the CPU time that it took: a look at
# the folder, results, parts of a page, and a look at all runs. So each takes a two-hundredth of a core at most.
PAUSE_PER_COST = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One run in the list: what its manifest says. `reason` says why a manifest cannot be read."""

    name: str
    started: str = ""
    state: str = ""
    cells: int = 0
    modes: str = ""
    workloads: str = ""
    machine: str = ""
    reason: str = ""

    @property
    def text(self) -> str:
        """All that a search looks at."""
        return " ".join((self.name, self.state, self.modes, self.workloads, self.machine, self.reason)).lower()


@dataclass(frozen=True, slots=True)
class Described:
    """The kept part of a manifest: its entry without the state, the cores of its workers, and whether it has ended."""

    stamp: Stamp
    entry: Entry
    cores: tuple[int, ...] = ()
    finished: bool = False


@dataclass(slots=True)
class OpenRun:
    """One run, with its results as of the last time that they were computed."""

    place: Store
    reader: RunReader
    manifest: Manifest
    run: Run
    revision: int = 0
    writer: int | None = None
    looked_s: float = -1e9
    look_cost_s: float = 0.0
    computed_s: float = -1e9
    cost_s: float = 0.0
    is_stale: bool = True
    _stamp: Stamp = NO_STAMP

    def refresh(self) -> None:
        """Read what is new; compute the results again if that is due."""
        now_s = time.monotonic()
        if now_s - self.looked_s >= FRESH_S:
            self.writer = self.place.find_writer()
            if self.writer is None or now_s - self.looked_s >= PAUSE_PER_COST * self.look_cost_s:
                self._look(now_s)
        if self.is_stale and (self.writer is None or now_s - self.computed_s >= PAUSE_PER_COST * self.cost_s):
            self._compute(now_s)

    def _look(self, now_s: float) -> None:
        """Read the manifest and the records that are new or have changed."""
        began_s, stamp, is_first = time.thread_time(), self.place.read_manifest_stamp(), not self.reader.revision
        if stamp != self._stamp:
            self.manifest, self._stamp, self.is_stale = self.place.read_manifest(), stamp, True
        self.is_stale |= self.reader.refresh()
        # The first look reads all records; no later one does, so it says nothing about their cost.
        self.looked_s, self.look_cost_s = now_s, 0.0 if is_first else time.thread_time() - began_s

    def read_stamp(self) -> tuple[Hashable, bool]:
        """Return what changes with the results, and whether the run is being written."""
        return (self.place.read_stamps(), self.revision), self.writer is not None

    def _compute(self, now_s: float) -> None:
        """Compute the results of all records read so far."""
        began_s = time.thread_time()
        self.run = Run.from_reader(self.reader, self.manifest)
        _ = self.run.groups  # computed here, and not when a page asks for them
        self.computed_s, self.cost_s = now_s, time.thread_time() - began_s
        self.revision, self.is_stale = self.revision + 1, False


@dataclass(slots=True)
class Library:
    """All runs of one folder."""

    root: Path
    _listing: RunListing = field(init=False)
    _described: dict[str, Described] = field(default_factory=dict)
    _open: dict[str, OpenRun] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with an empty list, which is filled at the first look."""
        self._listing = RunListing(self.root)

    def list_entries(self, searched: str = "") -> list[Entry]:
        """List the runs in which every word of a search occurs, the newest first."""
        words = searched.lower().split()
        entries = (self._describe_run(place) for place in reversed(self._listing.list_stores()))
        return [entry for entry in entries if all(word in entry.text for word in words)]

    def _describe_run(self, place: Store) -> Entry:
        found = self._read_description(place)
        if found.entry.reason:
            return found.entry
        return replace(found.entry, state=describe_state(place.find_writer(), finished=found.finished))

    def _read_description(self, place: Store) -> Described:
        """Return what is kept of the manifest of a run; it is read anew only if it has changed."""
        stamp = place.read_manifest_stamp()
        known = self._described.get(place.name)
        if known is None or known.stamp != stamp:
            known = self._described[place.name] = describe_manifest(place, stamp)
        return known

    def open_run(self, name: str) -> OpenRun:
        """Return a run with its results.

        Raises:
            UsageError: there is no such run, or it cannot be read.
        """
        place = store.open_listed(self.root, name)
        found = self._open.pop(name, None)
        if found is None:
            manifest = place.read_manifest()
            empty = Run(name=name, manifest=manifest, records=())
            found = OpenRun(place, RunReader(place), manifest, empty)
        self._open[name] = found  # the last one used stands last
        while len(self._open) > MAX_OPEN_RUNS:
            del self._open[next(iter(self._open))]
        found.refresh()
        return found

    def list_busy_cores(self) -> set[int]:
        """Return the cores of the workers of all runs that are being written."""
        writing = (place for place in self._listing.list_stores() if place.find_writer() is not None)
        return {core for place in writing for core in self._read_description(place).cores}

    def read_stamps(self, names: Collection[str] = ()) -> tuple[Hashable, bool]:
        """Return what changes with any run of the folder, or of these, and whether one is being written."""
        listed = RunListing(self.root).list_stores()  # in another thread than the list that is kept
        places = [place for place in listed if not names or place.name in names]
        stamps = tuple((place.name, place.read_stamps()) for place in places)
        return stamps, any(place.find_writer() is not None for place in places)


def describe_manifest(place: Store, stamp: Stamp) -> Described:
    """Return what is kept of the manifest of a run, or why it cannot be read."""
    if not place.name.isprintable():
        reason = "no address can have its name; rename its folder"
        return Described(stamp, Entry(to_printable(place.name), reason=reason))
    try:
        manifest = place.read_manifest()
    except UsageError as error:
        return Described(stamp, Entry(place.name, reason=to_printable(str(error))))
    cells = [cell for cell in manifest.cells if not cell.replica]
    entry = Entry(
        name=place.name,
        started=manifest.started,
        cells=len(cells),
        modes=", ".join(dict.fromkeys(cell.label for cell in cells)),
        workloads=", ".join(dict.fromkeys(f"{cell.workload} {cell.task}" for cell in cells)),
        machine=identify_type(manifest.host).label,
    )
    return Described(stamp, entry, manifest.cores, manifest.finished)


def describe_state(writer: int | None, *, finished: bool) -> str:
    """Return the state of a run in a word or two."""
    if writer is not None:
        return "running"
    return "finished" if finished else "unfinished"
