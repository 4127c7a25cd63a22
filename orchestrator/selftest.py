"""Self-test: measures cells whose truth is known, as a sweep measures any others, and judges the records.

With clones of one cell it also measures, for as long as the user likes, how often equals are reported as different.
"""

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from orchestrator import host, store
from orchestrator.analysis.clones import BLOCKS, Rate, experiments, rates
from orchestrator.hog import Hogged, Launch
from orchestrator.interrupts import Interrupts
from orchestrator.launchers.local import Local
from orchestrator.plan import Plan, cpus
from orchestrator.promises import Figure, Promise, clones, hog, latencies, outcomes, twin
from orchestrator.store import Store
from orchestrator.sweep import Enough, Sweep, SweepEvent
from schemas.job import Cell
from schemas.record import Host, JobRecord, Manifest
from schemas.sweep import Stop, SweepSpec

PROMISES: Final = (latencies.promise, twin.promise, clones.promise, hog.promise, outcomes.promise)
# Budget, in seconds, of a sweep that its number of blocks ends.
NO_LIMIT_S: Final = 1e6

# Blocks of a sweep that its budget ends: a multiple of those of one experiment, so that none is cut short.
MOST_BLOCKS: Final = 9_996

# Share of false claims that is allowed about pairs, and about families of pairs.
NOMINAL: Final = 0.05


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of a check, and the seconds it took."""

    promise: Promise
    figures: Sequence[Figure]
    took_s: float

    @property
    def kept(self) -> bool:
        """True if no reading failed."""
        return all(figure.kept is not False for figure in self.figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Setting of a self-test: a run's folder, this machine's cores, and one seed for every random order."""

    run: Store
    manifest: Manifest
    available: tuple[int, ...]
    interrupts: Interrupts
    publish: Callable[[SweepEvent], None] = lambda *_: None
    launch: Launch = Local

    @property
    def host(self) -> Host:
        """Fingerprint of the machine."""
        return self.manifest.host

    def measure(
        self,
        spec: SweepSpec,
        cells: Sequence[Cell],
        *,
        hogged: frozenset[str] = frozenset(),
        enough: Enough = lambda *_: False,
    ) -> list[JobRecord]:
        """Measure these cells as a sweep does; return the records, which are also in the run's folder."""
        sweep = Sweep(
            plan=Plan(spec, tuple(cells), {}, self.manifest.seed, self.available, ()),
            store=self.run,
            host=self.host,
            launcher=Hogged(self.launch(self.interrupts), hogged, self.launch),
            interrupts=self.interrupts,
            enough=enough,
            publish=self.publish,
        )
        sweep.run()
        return sweep.records

    def end(self, done: str) -> str:
        """Record in the run's folder how it ended, as planned or by which signal; return that."""
        received = self.interrupts.received
        stopped = f"stopped by {received.name}" if received else done
        self.run.write_manifest(self.manifest.model_copy(update={"stopped": stopped}))
        return stopped


def begin(
    root: Path,
    spec: SweepSpec,
    cells: Sequence[Cell],
    command: Sequence[str],
    interrupts: Interrupts,
    publish: Callable[[SweepEvent], None] = lambda *_: None,
) -> Bench:
    """Create the folder of a run of these cells, with its manifest."""
    began = datetime.now().astimezone()
    manifest = Manifest(
        name=spec.name,
        started=began.isoformat(timespec="seconds"),
        command=tuple(command),
        sweep=spec,
        seed=random.SystemRandom().randrange(2**32),
        cells=tuple(cells),
        host=host.fingerprint(),
    )
    run = store.create(root, spec.name, began)
    run.write_manifest(manifest)
    return Bench(run=run, manifest=manifest, available=host.cores(), interrupts=interrupts, publish=publish)


def step_aside() -> None:
    """Keep this process off the workers' core, if that leaves it another."""
    host.step_aside(set(cpus(1, host.cores())))


def run(promises: Sequence[Promise], bench: Bench, publish: Callable[[Promise | Finding], None]) -> list[Finding]:
    """Run one check after the other until a signal comes; the check that it interrupts has no result."""
    findings: list[Finding] = []
    for promise in promises:
        publish(promise)
        finding = tried(promise, bench)
        if bench.interrupts.received is not None:
            break
        findings.append(finding)
        publish(finding)
    return findings


def tried(promise: Promise, bench: Bench, clock: Callable[[], float] = time.monotonic) -> Finding:
    """Measure a check's cells, and judge them."""
    spec = SweepSpec(
        name="selftest",
        timing=promise.timing,
        deadline=promise.deadline_s,
        stop=Stop(blocks=promise.blocks, budget=NO_LIMIT_S),
    )
    start = clock()
    records = bench.measure(spec, promise.cells, hogged=promise.hogged, enough=promise.enough)
    return Finding(promise, promise.judge(records), clock() - start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Rates at which clones were reported as different, with the conditions of the measurement."""

    spec: SweepSpec
    cells: Sequence[Cell]
    host: Host
    jobs: int
    experiments: int
    rates: Sequence[Rate]

    @property
    def kept(self) -> bool:
        """True if this program's rates may be at most the nominal ones; False without an experiment."""
        return self.experiments > 0 and all(rate.interval.low <= NOMINAL for rate in self.rates if rate.ours)


def tell_apart(bench: Bench) -> Trial:
    """Measure six clones until the sweep's budget or its blocks are used up, and apply every rule to them."""
    spec, cells = bench.manifest.sweep, bench.manifest.cells
    records = bench.measure(spec, cells)
    tried_on = experiments(records, cells)
    return Trial(
        spec=spec, cells=cells, host=bench.host, jobs=len(records), experiments=len(tried_on), rates=rates(tried_on)
    )


def enough_blocks(pairs: int) -> int:
    """Return how many blocks yield at least that number of pairs of clones."""
    return BLOCKS * math.ceil(pairs / math.comb(len(clones.CELLS), 2))
