"""Files that one process makes for others, once in a run for all cells that load the same, in a separate job.

They are models exported for another framework, and the expected results of a workload whose reference is one of its
implementations. Their cost stays in their record. It is part of no measurement, and of no measured process.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.execution.job import JobRunner
from orchestrator.records import outcomes
from orchestrator.records.outcomes import Classification
from orchestrator.records.store import Store
from orchestrator.registry.frameworks import load_frameworks
from orchestrator.registry.model_files import is_opened
from orchestrator.registry.modes import find_mode
from schemas.job import Cell, ComputeReference, Export, JobSpec
from schemas.record import JobRecord
from schemas.workloads import Workload


def needs_artefact(cell: Cell, workload: Workload) -> bool:
    """Return whether a cell's jobs load a model that another framework exported or their own mode saved."""
    exported = bool(load_frameworks()[cell.framework].exporter) and not is_opened(workload, cell.framework)
    return exported or cell.origin == "file"


def artefact_suffix(cell: Cell) -> str:
    """Return the file suffix of a cell's artefact; some frameworks accept only their own."""
    return find_mode(cell).suffix if cell.origin == "file" else load_frameworks()[cell.framework].exported_suffix


def keep_failure(jobs: JobRunner, spec: JobSpec, failed: JobRecord) -> JobRecord:
    """Keep the only record of a cell whose artefact or reference failed: none of its jobs was started."""
    reason, advice = failed.reason, failed.advice
    if isinstance(failed.spec.purpose, ComputeReference) and spec.model is None:
        reason = f"its reference, {spec.reference} in float64, failed: {reason}"
    if failed.outcome != "unsupported":
        advice = f"its output is in {jobs.store.log_path(failed.spec)}"
    return jobs.keep_record(spec, Classification(failed.outcome, reason), advice=advice, breach=failed.breach)


@dataclass(frozen=True, slots=True)
class ArtefactMaker:
    """The artefacts of one run. A cell, its A/A clone and whatever else loads the same model load the same file."""

    store: Store
    run_job: Callable[[JobSpec], JobRecord]
    choose_export_environment: Callable[[Cell], str]
    made: set[str] = field(default_factory=set)
    """The cells whose file this process made. A file saved by a mode may hold code, so no older one is trusted."""

    def export_model(self, job: JobSpec) -> JobRecord:
        """Export the model that this job loads, unless this run has it."""
        original = job.cell.model_copy(update={"replica": 0})
        purpose = Export(path=str(self.store.artefact_path(original, artefact_suffix(original))))
        return self._make_once(job.model_copy(update={"cell": original, "purpose": purpose}))

    def compute_expected(self, job: JobSpec) -> JobRecord:
        """Compute the expected results with this job's reference, unless this run has them."""
        purpose = ComputeReference(path=str(self.store.expected_path(job.cell)))
        return self._make_once(job.model_copy(update={"purpose": purpose}))

    def _make_once(self, spec: JobSpec) -> JobRecord:
        wanted = self._identify_file(spec)
        for record in self.store.read_artefact_records():
            if self._identify_file(record.spec) == wanted and self._is_reusable(record):
                return record
        record = self.run_job(spec)
        # All jobs of the cell depend on this one, so a chance failure must not be final.
        if outcomes.is_transient(record):
            record = self.run_job(spec)
        self.made.add(spec.cell.id)
        return record

    def _identify_file(self, spec: JobSpec) -> tuple[str, Cell]:
        """Return what decides the file that a job makes: its suffix, and the cell whose model or results are in it.

        An exported model is the same for every framework, mode, cache and number of threads that will run it.
        """
        cell, purpose = spec.cell, spec.purpose
        assert isinstance(purpose, Export | ComputeReference), "no other job makes a file for others"
        if isinstance(purpose, Export) and cell.origin == "source":
            chosen = {
                "framework": load_frameworks()[cell.framework].exporter,
                "mode": "",
                "threads": 1,
                "cache": "cold",
                "tuning": "none",
                "environment": self.choose_export_environment(cell),
            }
            cell = cell.model_copy(update=chosen)
        return Path(purpose.path).suffix, cell

    def _is_reusable(self, record: JobRecord) -> bool:
        if record.outcome == "interrupted":
            return False
        foreign = record.outcome == "exported" and record.spec.cell.origin == "file"
        return record.spec.cell.id in self.made or not (foreign or outcomes.is_transient(record))
