"""The runs of a folder as the server keeps them: read once, and again only where files have changed."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.analysis.derivation.run_reader import RunReader
from orchestrator.analysis.run import Run
from orchestrator.errors import UsageError
from orchestrator.format import to_printable
from orchestrator.records import store
from orchestrator.records.store import Stamp, Store
from orchestrator.report.page.page import render_page
from schemas.machine_type import identify_type
from schemas.record import Manifest

# Runs whose records are kept in memory, and the time after which the same run is looked at again.
MAX_OPEN_RUNS = 4
FRESH_S = 1.0

# Results are computed again after at least so many times the CPU time that they took: a hundredth of a core at most.
PAUSE_PER_COST = 100


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
    computed_s: float = -1e9
    cost_s: float = 0.0
    is_stale: bool = True
    page: str = ""

    def refresh(self) -> None:
        """Read what is new; compute the results again if that is due."""
        now_s = time.monotonic()
        if now_s - self.looked_s >= FRESH_S:
            self.looked_s, self.writer = now_s, self.place.find_writer()
            manifest = self.place.read_manifest()
            self.is_stale |= self.reader.refresh() or manifest != self.manifest
            self.manifest = manifest
        if self.is_stale and (self.writer is None or now_s - self.computed_s >= PAUSE_PER_COST * self.cost_s):
            self._compute(now_s)

    def _compute(self, now_s: float) -> None:
        """Compute the results of all records read so far."""
        began_s = time.thread_time()
        self.run = Run.from_reader(self.reader, self.manifest)
        _ = self.run.groups  # computed here, and not when a page asks for them
        self.computed_s, self.cost_s = now_s, time.thread_time() - began_s
        self.revision, self.is_stale, self.page = self.revision + 1, False, ""

    def render_report(self) -> str:
        """Return the report page of the run, made from its records: a page in its folder may be anybody's."""
        self.page = self.page or render_page(self.run)
        return self.page


@dataclass(slots=True)
class Library:
    """All runs of one folder."""

    root: Path
    _manifests: dict[str, tuple[Stamp, Manifest | str]] = field(default_factory=dict)
    _open: dict[str, OpenRun] = field(default_factory=dict)

    def list_entries(self, searched: str = "") -> list[Entry]:
        """List the runs in which every word of a search occurs, the newest first."""
        words = searched.lower().split()
        entries = (self._describe_run(place) for place in reversed(store.list_own_stores(self.root)))
        return [entry for entry in entries if all(word in entry.text for word in words)]

    def _describe_run(self, place: Store) -> Entry:
        found = self._read_manifest(place)
        if not place.name.isprintable():
            return Entry(to_printable(place.name), reason="no address can have its name; rename its folder")
        if isinstance(found, str):
            return Entry(place.name, reason=found)
        cells = [cell for cell in found.cells if not cell.replica]
        return Entry(
            name=place.name,
            started=found.started,
            state=describe_state(found, place.find_writer()),
            cells=len(cells),
            modes=", ".join(dict.fromkeys(cell.label for cell in cells)),
            workloads=", ".join(dict.fromkeys(f"{cell.workload} {cell.task}" for cell in cells)),
            machine=identify_type(found.host).label,
        )

    def _read_manifest(self, place: Store) -> Manifest | str:
        """Return the manifest of a run, or why it cannot be read; read anew only if it has changed."""
        stamp = place.read_manifest_stamp()
        known = self._manifests.get(place.name)
        if known is None or known[0] != stamp:
            try:
                known = (stamp, place.read_manifest())
            except UsageError as error:
                known = (stamp, to_printable(str(error)))
            self._manifests[place.name] = known
        return known[1]

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
        busy = set[int]()
        for place in store.list_own_stores(self.root):
            if place.find_writer() is not None and isinstance(found := self._read_manifest(place), Manifest):
                busy |= {*found.cores}
        return busy


def describe_state(manifest: Manifest, writer: int | None) -> str:
    """Return the state of a run in a word or two."""
    if writer is not None:
        return "running"
    return "finished" if manifest.finished else "unfinished"
