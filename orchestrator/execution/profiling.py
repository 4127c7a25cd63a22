"""Profiles of cells by their framework's profiler, once for each cell and run, after all measurements."""

from collections.abc import Iterable

from orchestrator.records.store import Store
from schemas.job import JobSpec, Profile


def make_profiling_jobs(store: Store, jobs: Iterable[JobSpec]) -> list[JobSpec]:
    """Make a job that profiles the cell of each of these jobs, but for those of which this run has a profile."""
    ended = [record.spec.cell for record in store.read_profiles() if record.outcome != "interrupted"]
    return [
        job.model_copy(update={"purpose": Profile(path=str(store.trace_path(job.cell)))})
        for job in jobs
        if job.cell not in ended
    ]
