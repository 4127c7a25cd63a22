"""Self-test: measures cells whose truth is known, as a sweep measures any others, and judges the records.

With clones of one cell it also measures, for as long as the user likes, how often equals are reported as different.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from orchestrator.environments.lookup import Environments
from orchestrator.execution.core_claims import claim_cores
from orchestrator.execution.launchers import Launcher
from orchestrator.execution.launchers.template_pool import TemplatePool
from orchestrator.execution.session import open_session
from orchestrator.execution.sweep import PrecisionCheck, Sweep
from orchestrator.execution.sweep_events import SweepEvent
from orchestrator.machine import affinity, fingerprint
from orchestrator.planning.plan import Plan
from orchestrator.processes.signals import Interrupts
from orchestrator.records import store
from orchestrator.records.store import Store
from orchestrator.registry.workloads import load_workloads
from orchestrator.selftest.check import Check, Reading
from orchestrator.selftest.checks import aa, interference, latency, outcomes, slowdown
from orchestrator.selftest.cpu_hog import HoggedLauncher
from orchestrator.selftest.false_positives import FalsePositiveRate, compute_rates, cut_experiments
from schemas.job import Cell
from schemas.record import Host, JobRecord, Manifest
from schemas.sweep import Stop, SweepSpec
from schemas.workloads import Workload

CHECK_MAKERS: Final = tuple(module.make_check for module in (latency, slowdown, aa, interference, outcomes))

# Budget, in seconds, of a sweep that its number of blocks ends.
NO_LIMIT_S: Final = 1e6

# Blocks of a sweep that its budget ends: a multiple of those of one experiment, so that none is cut short.
MAX_BLOCKS: Final = 9_996

# Share of false claims that is allowed about pairs, and about sets of clones whose pairs are tested together.
NOMINAL_RATE: Final = 0.05


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Result of a check, and the seconds it took."""

    check: Check
    readings: Sequence[Reading]
    took_s: float

    @property
    def has_passed(self) -> bool:
        """True if no reading failed."""
        return all(reading.passed is not False for reading in self.readings)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """Setting of a self-test: a run's folder, this machine's cores, and one seed for every random order.

    Its workers take `cores`, of those `available`.
    """

    run: Store
    manifest: Manifest
    available: tuple[int, ...]
    cores: tuple[int, ...]
    interrupts: Interrupts
    launcher: Launcher
    templates: TemplatePool | None = None
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
        workloads: Mapping[str, Workload] = MappingProxyType({}),
    ) -> list[JobRecord]:
        """Measure these cells as a sweep does; return the records, which are also in the run's folder."""
        known = {**load_workloads(), **workloads}
        sweep = Sweep(
            plan=Plan(spec, tuple(cells), {}, self.manifest.seed, self.available, (), known, cores=self.cores),
            store=self.run,
            host=self.host,
            launcher=HoggedLauncher(self.launcher, hogged),
            templates=self.templates,
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
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[SelfTest]:
    """Open a session for measuring these cells, with the folder of their run and its manifest.

    With `on_wait`, wait until enough cores are free.

    Raises:
        UsageError: other sweeps measure on them, and waiting is not wanted.
    """
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
    with (
        claim_cores(max(cell.threads for cell in cells), root, on_wait=on_wait) as claim,
        open_session(claim.cores, Environments()) as session,
    ):
        run, manifest = store.create_run(root, spec.name, began), manifest.model_copy(update={"cores": claim.cores})
        run.write_manifest(manifest)
        yield SelfTest(
            run=run,
            manifest=manifest,
            available=available,
            cores=claim.cores,
            interrupts=session.interrupts,
            launcher=session.launcher,
            templates=session.templates,
            publish=publish,
        )


def run_checks(
    checks: Sequence[Check], selftest: SelfTest, publish: Callable[[Check | CheckResult], None]
) -> list[CheckResult]:
    """Run one check after the other until a signal comes; the check that it interrupts has no result."""
    results: list[CheckResult] = []
    for check in checks:
        publish(check)
        result = run_check(check, selftest)
        # Judging half of its records would report a failure that the signal caused.
        if selftest.interrupts.received is not None:
            break
        results.append(result)
        publish(result)
    return results


def run_check(check: Check, selftest: SelfTest, clock: Callable[[], float] = time.monotonic) -> CheckResult:
    """Measure a check's cells, and judge them."""
    spec = SweepSpec(
        name="selftest",
        timing=check.timing,
        deadline=check.deadline_s,
        stop=Stop(blocks=check.blocks, budget=NO_LIMIT_S),
    )
    start = clock()
    records = selftest.measure_cells(
        spec, check.cells, hogged=check.hogged, enough=check.enough, workloads=check.workloads
    )
    return CheckResult(check, check.judge(records), clock() - start)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneMeasurement:
    """Rates at which clones were reported as different, with the conditions of the measurement."""

    spec: SweepSpec
    cells: Sequence[Cell]
    host: Host
    jobs: int
    experiments: int
    rates: Sequence[FalsePositiveRate]

    @property
    def has_passed(self) -> bool:
        """True if the true rates may be at most the nominal one; False without an experiment."""
        return self.experiments > 0 and all(rate.interval.low <= NOMINAL_RATE for rate in self.rates)


def measure_clones(selftest: SelfTest) -> CloneMeasurement:
    """Measure six clones until the sweep's budget or its blocks are used up, and count the claims about them."""
    spec, cells = selftest.manifest.sweep, selftest.manifest.cells
    records = selftest.measure_cells(spec, cells)
    experiments = cut_experiments(records, cells)
    return CloneMeasurement(
        spec=spec,
        cells=cells,
        host=selftest.host,
        jobs=len(records),
        experiments=len(experiments),
        rates=compute_rates(experiments),
    )
