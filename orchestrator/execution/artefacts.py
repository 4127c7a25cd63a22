"""Files that one process makes for others, once for each cell and run, in a separate job.

They are models exported for another framework, and the expected results of a workload whose reference is one of its
implementations. Their cost stays in their record. It is part of no measurement, and of no measured process.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.environments.lookup import Environments
from orchestrator.execution import classify
from orchestrator.execution.job import launch_job
from orchestrator.execution.launchers import Launcher
from orchestrator.records import outcomes
from orchestrator.records.store import Store
from orchestrator.registry.frameworks import load_frameworks
from orchestrator.registry.modes import find_mode
from schemas.event import Event, Exported
from schemas.job import Cell, JobSpec
from schemas.record import ExportRecord, Host, JobRecord


def needs_artefact(cell: Cell) -> bool:
    """Return whether a cell's jobs load a model that another framework exported or their own mode saved."""
    return bool(load_frameworks()[cell.framework].exporter) or cell.origin == "file"


def artefact_suffix(cell: Cell) -> str:
    """Return the file suffix of a cell's artefact; some frameworks accept only their own."""
    return find_mode(cell).suffix if cell.origin == "file" else ".onnx"


def make_failure_record(spec: JobSpec, export: ExportRecord, log: Path) -> JobRecord:
    """Return the only record of a cell whose export or reference failed: none of its jobs was started."""
    assert export.outcome != "exported"
    advice = export.advice if export.outcome == "unsupported" else f"its output is in {log}"
    what = f"its reference, {spec.reference} in float64, failed: " if export.spec.expect else ""
    reason = f"{what}{export.reason}"
    return JobRecord(spec=spec, outcome=export.outcome, reason=reason, host=export.host, advice=advice)


@dataclass(frozen=True, slots=True)
class ArtefactMaker:
    """The artefacts of one run. A cell and its A/A clone load the same file."""

    launcher: Launcher
    store: Store
    host: Host
    environments: Environments
    made: set[str] = field(default_factory=set)
    """The cells whose file this process made. A file saved by a mode may hold code, so no older one is trusted."""

    def export_model(self, job: JobSpec, on_event: Callable[[Event], None]) -> ExportRecord:
        """Export the model that this job loads, unless this run has it, and keep the record."""
        original = job.cell.model_copy(update={"replica": 0})
        writing = {"cell": original, "export": str(self.store.artefact_path(original, artefact_suffix(original)))}
        return self._make_once(job.model_copy(update=writing), on_event)

    def compute_expected(self, job: JobSpec, on_event: Callable[[Event], None]) -> ExportRecord:
        """Compute the expected results with this job's reference, unless this run has them, and keep the record."""
        return self._make_once(job.model_copy(update={"expect": str(self.store.expected_path(job.cell))}), on_event)

    def _make_once(self, spec: JobSpec, on_event: Callable[[Event], None]) -> ExportRecord:
        for record in self.store.read_exports():
            if record.spec.cell == spec.cell and self._is_reusable(record):
                return record
        record = self._run_maker(spec, on_event)
        if outcomes.is_transient(record):
            record = self._run_maker(spec, on_event)
        self.made.add(spec.cell.id)
        self.store.write_export(record)
        return record

    def _is_reusable(self, record: ExportRecord) -> bool:
        if record.outcome == "interrupted":
            return False
        foreign = record.exported is not None and record.spec.cell.origin == "file"
        return record.spec.cell.id in self.made or not (foreign or outcomes.is_transient(record))

    def _run_maker(self, spec: JobSpec, on_event: Callable[[Event], None]) -> ExportRecord:
        ending, outside = launch_job(self.launcher, spec, self.store.export_log_path(spec.cell), on_event)
        last = ending.events[-1] if ending.events else None
        exported = last if isinstance(last, Exported) and ending.how == "ended" else None
        judgement = classify.classify_ending(spec, ending)
        return ExportRecord(
            spec=spec,
            outcome="exported" if exported else judgement.outcome,
            exported=exported,
            reason="" if exported else judgement.reason,
            advice="" if exported else judgement.advice,
            host=self.host,
            freeze=self.environments.find_for_job(spec).freeze,
            outside=outside,
        )
