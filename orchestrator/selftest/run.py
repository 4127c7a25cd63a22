"""Self-test: measures cells whose truth is known, as a sweep measures any others, and judges the records.

With clones of one cell it also measures, for as long as the user likes, how often equals are reported as different.
"""

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from orchestrator.environments.lookup import Environments
from orchestrator.execution.launchers import Launcher
from orchestrator.execution.session import open_session
from orchestrator.execution.sweep import PrecisionCheck, Sweep
from orchestrator.execution.sweep_events import SweepEvent
from orchestrator.machine import affinity, fingerprint
from orchestrator.planning.plan import Plan, choose_cpus
from orchestrator.processes.signals import Interrupts
from orchestrator.records import store
from orchestrator.records.store import Store
from orchestrator.selftest.check import Check, Reading
from orchestrator.selftest.checks import aa, interference, latency, outcomes, slowdown
from orchestrator.selftest.cpu_hog import HoggedLauncher
from orchestrator.selftest.false_positives import EXPERIMENT_BLOCKS, FalsePositiveRate, compute_rates, cut_experiments
from schemas.job import Cell
from schemas.record import Host, JobRecord, Manifest
from schemas.sweep import Stop, SweepSpec

CHECKS: Final = (latency.make_check, slowdown.make_check, aa.make_check, interference.make_check, outcomes.make_check)
# Budget, in seconds, of a sweep that its number of blocks ends.
NO_LIMIT_S: Final = 1e6

# Blocks of a sweep that its budget ends: a multiple of those of one experiment, so that none is cut short.
MAX_BLOCKS: Final = 9_996

# Share of false claims that is allowed about pairs, and about families of pairs.
NOMINAL_RATE: Final = 0.05


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Result of a check, and the seconds it took."""

    promise: Check
    figures: Sequence[Reading]
    took_s: float

    @property
    def has_passed(self) -> bool:
        """True if no reading failed."""
        return all(figure.kept is not False for figure in self.figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """Setting of a self-test: a run's folder, this machine's cores, and one seed for every random order."""

    run: Store
    manifest: Manifest
    available: tuple[int, ...]
    interrupts: Interrupts
    launcher: Launcher
    publish: Callable[[SweepEvent], None] = lambda *_: None

    @property
    def host(self) -> Host:
        """Fingerprint of the machine."""
        return self.manifest.host

    def measure_cells(
        self,
        spec: SweepSpec,
        cells: Sequence[Cell],
        *,
        hogged: frozenset[str] = frozenset(),
        enough: PrecisionCheck = lambda *_: False,
    ) -> list[JobRecord]:
        """Measure these cells as a sweep does; return the records, which are also in the run's folder."""
        sweep = Sweep(
            plan=Plan(spec, tuple(cells), {}, self.manifest.seed, self.available, ()),
            store=self.run,
            host=self.host,
            launcher=HoggedLauncher(self.launcher, hogged),
            interrupts=self.interrupts,
            enough=enough,
            publish=self.publish,
        )
        sweep.run()
        return sweep.records

    def record_ending(self, done: str) -> str:
        """Record in the run's folder how it ended, as planned or by which signal; return that."""
        received = self.interrupts.received
        stopped = f"stopped by {received.name}" if received else done
        self.run.write_manifest(self.manifest.model_copy(update={"stopped": stopped}))
        return stopped


@contextmanager
def open_selftest(
    root: Path,
    spec: SweepSpec,
    cells: Sequence[Cell],
    command: Sequence[str],
    publish: Callable[[SweepEvent], None] = lambda *_: None,
) -> Iterator[SelfTest]:
    """Open a session for measuring these cells, with the folder of their run and its manifest."""
    available, machine, began = affinity.list_cores(), fingerprint.take_fingerprint(), datetime.now().astimezone()
    manifest = Manifest(
        name=spec.name,
        started=began.isoformat(timespec="seconds"),
        command=tuple(command),
        sweep=spec,
        seed=random.SystemRandom().randrange(2**32),
        cells=tuple(cells),
        host=machine,
    )
    with open_session(choose_cpus(1, available), Environments()) as session:
        run = store.create_run(root, spec.name, began)
        run.write_manifest(manifest)
        yield SelfTest(
            run=run,
            manifest=manifest,
            available=available,
            interrupts=session.interrupts,
            launcher=session.launcher,
            publish=publish,
        )


def run(
    promises: Sequence[Check], bench: SelfTest, publish: Callable[[Check | CheckResult], None]
) -> list[CheckResult]:
    """Run one check after the other until a signal comes; the check that it interrupts has no result."""
    findings: list[CheckResult] = []
    for promise in promises:
        publish(promise)
        finding = run_check(promise, bench)
        if bench.interrupts.received is not None:
            break
        findings.append(finding)
        publish(finding)
    return findings


def run_check(promise: Check, bench: SelfTest, clock: Callable[[], float] = time.monotonic) -> CheckResult:
    """Measure a check's cells, and judge them."""
    spec = SweepSpec(
        name="selftest",
        timing=promise.timing,
        deadline=promise.deadline_s,
        stop=Stop(blocks=promise.blocks, budget=NO_LIMIT_S),
    )
    start = clock()
    records = bench.measure_cells(spec, promise.cells, hogged=promise.hogged, enough=promise.enough)
    return CheckResult(promise, promise.judge(records), clock() - start)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneTrial:
    """Rates at which clones were reported as different, with the conditions of the measurement."""

    spec: SweepSpec
    cells: Sequence[Cell]
    host: Host
    jobs: int
    experiments: int
    rates: Sequence[FalsePositiveRate]

    @property
    def has_passed(self) -> bool:
        """True if this program's rates may be at most the nominal ones; False without an experiment."""
        return self.experiments > 0 and all(
            rate.interval.low <= NOMINAL_RATE for rate in self.rates if rate.is_own_rule
        )


def measure_clones(bench: SelfTest) -> CloneTrial:
    """Measure six clones until the sweep's budget or its blocks are used up, and apply every rule to them."""
    spec, cells = bench.manifest.sweep, bench.manifest.cells
    records = bench.measure_cells(spec, cells)
    tried_on = cut_experiments(records, cells)
    return CloneTrial(
        spec=spec,
        cells=cells,
        host=bench.host,
        jobs=len(records),
        experiments=len(tried_on),
        rates=compute_rates(tried_on),
    )


def count_needed_blocks(pairs: int) -> int:
    """Return how many blocks yield at least that number of pairs of clones."""
    return EXPERIMENT_BLOCKS * math.ceil(pairs / math.comb(len(aa.CELLS), 2))
