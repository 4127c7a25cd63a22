"""The instrument tried on what is known: each promise's cells are measured as a sweep measures any, and judged.

With clones of one cell for as long as the user likes, the same bench measures how often equals are told apart.
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
NO_LIMIT_S: Final = 1e6
"""The budget of a sweep that its blocks end."""

MOST_BLOCKS: Final = 9_996
"""The blocks of a sweep that its budget ends: whole experiments."""

NOMINAL: Final = 0.05
"""The share of false claims that may be made about pairs, and about families of pairs."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a promise came to, and the seconds it took."""

    promise: Promise
    figures: Sequence[Figure]
    took_s: float

    @property
    def kept(self) -> bool:
        """Whether every figure is as it was promised."""
        return all(figure.kept is not False for figure in self.figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where a self-test measures: a run's folder, this machine's cores, and one seed for every random order."""

    run: Store
    manifest: Manifest
    available: tuple[int, ...]
    interrupts: Interrupts
    publish: Callable[[SweepEvent], None] = lambda *_: None
    launch: Launch = Local

    @property
    def host(self) -> Host:
        """The machine."""
        return self.manifest.host

    def measure(
        self,
        spec: SweepSpec,
        cells: Sequence[Cell],
        *,
        hogged: frozenset[str] = frozenset(),
        enough: Enough = lambda *_: False,
    ) -> list[JobRecord]:
        """Measure these cells as a sweep does. The records are in the run's folder, and returned."""
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
        """Say in the run's folder how it ended: as was meant, or by which signal; and return that."""
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
    """Make the folder of a run of these cells, and say in it what it is."""
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
    """Keep this process off the core of the workers, where that leaves it any."""
    host.step_aside(set(cpus(1, host.cores())))


def run(promises: Sequence[Promise], bench: Bench, publish: Callable[[Promise | Finding], None]) -> list[Finding]:
    """Try one promise after the other, until a signal ends it; what was being tried then has no finding."""
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
    """Measure a promise's cells, and judge them."""
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
    """How often clones were told apart, with the conditions under which that was measured."""

    spec: SweepSpec
    cells: Sequence[Cell]
    host: Host
    jobs: int
    experiments: int
    rates: Sequence[Rate]

    @property
    def kept(self) -> bool:
        """Whether the data leave it possible that our own rates are at most the nominal ones; none do not."""
        return self.experiments > 0 and all(rate.interval.low <= NOMINAL for rate in self.rates if rate.ours)


def tell_apart(bench: Bench) -> Trial:
    """Measure six clones until the sweep's budget or its blocks are used up, and see which rules tell them apart."""
    spec, cells = bench.manifest.sweep, bench.manifest.cells
    records = bench.measure(spec, cells)
    tried_on = experiments(records, cells)
    return Trial(
        spec=spec, cells=cells, host=bench.host, jobs=len(records), experiments=len(tried_on), rates=rates(tried_on)
    )


def enough_blocks(pairs: int) -> int:
    """Blocks that make for at least so many pairs of clones."""
    return BLOCKS * math.ceil(pairs / math.comb(len(clones.CELLS), 2))
