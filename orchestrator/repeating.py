"""One job of a run, run again now: with the same spec, in a folder that is gone afterwards. The run stays as it is."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from orchestrator import family, host, store
from orchestrator.environments import Environments
from orchestrator.errors import UsageError
from orchestrator.interrupts import Interrupts
from orchestrator.launchers.local import Local
from orchestrator.plan import Plan, mode_of, parse_framework, texts
from orchestrator.sweep import Sweep
from orchestrator.workloads import known, named
from schemas.job import JobSpec
from schemas.record import JobRecord, Manifest


@contextmanager
def repeated(manifest: Manifest, record: JobRecord) -> Iterator[tuple[JobRecord, Path]]:
    """Run the job of a record once more. Gives its new record, and its log as long as this lasts.

    A cell with a warm cache gets one first, in a process that does not count.

    Raises:
        UsageError: it cannot be run here as it was then.
    """
    machine, available = host.fingerprint(), host.cores()
    workloads = {**known(), **{each.name: each for each in named(texts(manifest.sweep)).values()}}
    cells = (record.spec.cell,)
    plan = Plan(manifest.sweep, cells, {}, manifest.seed, available, (), workloads, homes(manifest))
    check(plan, record)
    with (
        tempfile.TemporaryDirectory(prefix="plumbline-") as folder,
        tempfile.TemporaryDirectory() as caches,
        Interrupts() as interrupts,
        family.guarded(),
    ):
        host.step_aside(set(record.spec.cpus))
        beside = store.create(Path(folder), "repeated", datetime.now().astimezone())
        bench = Sweep(
            plan=plan,
            store=beside,
            launcher=Local(interrupts, Path(caches), environments=plan.environments),
            host=machine,
            enough=lambda *_: False,
            publish=lambda _: None,
            interrupts=interrupts,
        )
        if record.spec.cell.cache == "warm" and mode_of(record.spec.cell).cached:
            bench.job(record.spec.model_copy(update={"block": 0}))
        yield bench.job(record.spec), beside.log(record.spec)


def homes(manifest: Manifest) -> Environments:
    """The environments as the run's sweep names them."""
    return Environments(manifest.sweep.environments)


def check(plan: Plan, record: JobRecord) -> None:
    """Whether a job can be run here as it was. A run may be somebody else's: what it would start is compared with ours.

    Raises:
        UsageError: it cannot, and this is why.
    """
    spec, cell, name = record.spec, record.spec.cell, store.job_name(record.spec)
    if cell.origin == "file":
        raise UsageError(
            f"{name} loads what its mode has saved, and such a file of a run may hold code; sweep it again instead"
        )
    if record.outcome == "unsupported":
        raise UsageError(f"{name} was never started: {record.reason}")
    parse_framework(f"{cell.framework}:{cell.mode}")
    if missing := sorted({*spec.cpus}.difference(plan.available)):
        raise UsageError(f"{name} ran on cores {list(spec.cpus)}, and this machine gives us no core {missing[0]}")
    if not plan.environments.find(cell.environment).made:
        raise UsageError(f"{name} ran in the environment {cell.environment}, which is not there; `env create` makes it")
    ours = plan.job(cell, spec.block, spec.position, None)
    if (spec.variables, spec.module) != (ours.variables, ours.module):
        raise UsageError(f"{name} was given other variables, or imported another module, than this version would")
    check_artefact(spec, name)


def check_artefact(spec: JobSpec, name: str) -> None:
    """Whether the file that a job loads is still there.

    Raises:
        UsageError: it is not.
    """
    if spec.artefact is not None and not Path(spec.artefact.path).is_file():
        raise UsageError(f"{name} loads {spec.artefact.path}, which is not there; run its sweep again instead")
