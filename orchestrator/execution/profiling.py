"""Profiles of cells by their framework's profiler, once for each cell and run, after all measurements."""

from orchestrator.execution.job import JobRunner
from schemas.job import JobSpec, Profile


def profile_cell(jobs: JobRunner, job: JobSpec) -> None:
    """Profile the cell of a job in a separate job, unless this run has a profile of it."""
    ended = [record.spec.cell for record in jobs.store.read_profiles() if record.outcome != "interrupted"]
    if job.cell not in ended:
        jobs.run_job(job.model_copy(update={"purpose": Profile(path=str(jobs.store.trace_path(job.cell)))}))
