"""Profiles of cells by their framework's profiler, once for each cell and run, after all measurements."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.execution import classify
from orchestrator.execution.job import launch_job
from orchestrator.execution.launchers import Launcher
from orchestrator.records.store import Store
from schemas.event import Event, Profiled
from schemas.job import JobSpec
from schemas.record import Host, ProfileRecord


@dataclass(frozen=True, slots=True)
class CellProfiler:
    """The profiles of one run."""

    launcher: Launcher
    store: Store
    host: Host

    def profile_cell(self, job: JobSpec, on_event: Callable[[Event], None]) -> ProfileRecord:
        """Profile a cell in a separate job, unless this run has a profile of it, and keep the record."""
        for record in self.store.read_profiles():
            if record.spec.cell == job.cell and record.outcome != "interrupted":
                return record
        spec = job.model_copy(update={"profile": str(self.store.profile_path(job.cell, ".trace.json"))})
        ending, outside = launch_job(self.launcher, spec, self.store.profile_path(job.cell, ".stderr.log"), on_event)
        last = ending.events[-1] if ending.events else None
        profiled = last if isinstance(last, Profiled) and ending.how == "ended" else None
        judgement = classify.classify_ending(spec, ending)
        record = ProfileRecord(
            spec=spec,
            outcome="profiled" if profiled else judgement.outcome,
            profiled=profiled,
            reason="" if profiled else judgement.reason,
            advice="" if profiled else judgement.advice,
            outside=outside,
            host=self.host,
        )
        self.store.write_profile(record)
        return record
