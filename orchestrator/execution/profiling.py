"""Profiles of cells by their framework's profiler, once for each cell and run, after all measurements."""

from collections.abc import Callable

from orchestrator.records.store import Store
from schemas.job import JobSpec, Profile
from schemas.record import JobRecord


def profile_cell(store: Store, run_job: Callable[[JobSpec], JobRecord], job: JobSpec) -> None:
    """Profile the cell of a job in a separate job, unless this run has a profile of it."""
    ended = [record.spec.cell for record in store.read_profiles() if record.outcome != "interrupted"]
    if job.cell not in ended:
        run_job(job.model_copy(update={"purpose": Profile(path=str(store.trace_path(job.cell)))}))
