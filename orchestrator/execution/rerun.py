"""Rerun of one job of a run: with the same spec, in a temporary folder. The run stays unchanged."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from orchestrator.environments.lookup import Environments
from orchestrator.errors import UsageError
from orchestrator.execution.core_claims import claim_cores
from orchestrator.execution.job import JobRunner
from orchestrator.execution.session import open_session
from orchestrator.machine import affinity, fingerprint
from orchestrator.planning.plan import Plan
from orchestrator.planning.request import list_workload_texts, parse_framework
from orchestrator.processes import descendants
from orchestrator.records import store
from orchestrator.registry.modes import find_mode
from orchestrator.registry.workloads import load_workloads, resolve_workloads
from schemas.job import JobSpec
from schemas.record import JobRecord, Manifest


@contextmanager
def rerun_job(
    manifest: Manifest, record: JobRecord, runs: Path, on_wait: Callable[[str], None] | None = None
) -> Iterator[tuple[JobRecord, Path]]:
    """Run the job of a record once more. Yield its new record, and its log, which is deleted at the end.

    It runs on the same cores if no other sweep measures there. A cell with a warm cache fills it first, in a process
    that does not count. With `on_wait`, wait until enough cores are free.

    Raises:
        UsageError: the job cannot be run here as it was then.
    """
    machine, available = fingerprint.take_fingerprint(), affinity.list_cores()
    workloads = {
        **load_workloads(),
        **{each.name: each for each in resolve_workloads(list_workload_texts(manifest.sweep)).values()},
    }
    cells = (record.spec.cell,)
    plan = Plan(manifest.sweep, cells, {}, manifest.seed, available, (), workloads, make_environments(manifest))
    check_rerunnable(plan, record)
    due = tuple(dict.fromkeys((*record.spec.cpus, *record.spec.shared_cpus))) or plan.choose_cores(record.spec.cell)
    with (
        claim_cores(len(due), runs, preferred=due, on_wait=on_wait) as claim,
        open_session(claim.cores, plan.environments) as session,
        descendants.make_temporary_folder() as folder,
    ):
        spec = place_job(record.spec, claim.cores)
        beside = store.create_run(folder, "repeated", datetime.now().astimezone())
        jobs = JobRunner(session.launcher, beside, machine, plan.environments)
        if spec.cell.cache == "warm" and find_mode(spec.cell).cached:
            jobs.run_job(spec.model_copy(update={"block": 0}))  # block 0 only fills the cache
        yield jobs.run_job(spec), beside.log_path(spec)


def place_job(spec: JobSpec, cores: Sequence[int]) -> JobSpec:
    """Return a job on as many of these cores as it had, and on all of them for several clients at once."""
    places = {"cpus": cores[: len(spec.cpus)], "shared_cpus": cores if spec.shared_cpus else ()}
    # It has no block, and so no template.
    return spec.model_copy(update={name: tuple(sorted(each)) for name, each in places.items()} | {"start": "fresh"})


def make_environments(manifest: Manifest) -> Environments:
    """Return the environments as the run's sweep names them."""
    return Environments(manifest.sweep.environments)


def check_rerunnable(plan: Plan, record: JobRecord) -> None:
    """Check that a job can be run here as it was.

    A run may come from someone else: what it would start is compared with what this version starts.

    Raises:
        UsageError: it cannot, with the reason.
    """
    spec, cell, name = record.spec, record.spec.cell, store.job_name(record.spec)
    if cell.origin == "file":
        raise UsageError(
            f"{name} loads a model that its mode saved, and such a file may hold code; run its sweep again instead"
        )
    if record.outcome == "unsupported":
        raise UsageError(f"{name} was never started: {record.reason}")
    parse_framework(f"{cell.framework}:{cell.mode}")
    used = sorted({*spec.cpus, *spec.shared_cpus})
    if missing := [core for core in used if core not in plan.available]:
        raise UsageError(
            f"{name} ran on cores {used}, and core {missing[0]} is not available here; run its sweep again"
        )
    if plan.environments.inspect(cell.environment).record is None:
        raise UsageError(
            f"{name} ran in the environment {cell.environment}, which is missing; create it with `env create`"
        )
    # A foreign record may name any module and variables, such as LD_PRELOAD: run only what this version would.
    ours = plan.build_job(cell, spec.block, spec.position)
    if (spec.variables, spec.module) != (ours.variables, ours.module):
        raise UsageError(
            f"{name} had other variables or another module than this version would use; run its sweep again"
        )
    check_artefact(spec, name)


def check_artefact(spec: JobSpec, name: str) -> None:
    """Check that the file that a job loads still exists.

    Raises:
        UsageError: it does not.
    """
    if spec.artefact is not None and not Path(spec.artefact.path).is_file():
        raise UsageError(f"{name} loads {spec.artefact.path}, which does not exist; run its sweep again instead")
