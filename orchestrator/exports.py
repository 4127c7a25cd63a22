"""What is made in one process to be used in others: once for each cell and run, in a job of its own.

That is a model, exported for another framework to run, and what a workload must give whose reference is one of its
implementations. What making it costs stays in its record. It is no part of what is measured, and of no process that is.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator import judge, watched
from orchestrator.environments import Environments
from orchestrator.frameworks import known
from orchestrator.launchers import Launcher
from orchestrator.plan import mode_of
from orchestrator.store import Store
from schemas.event import Event, Exported
from schemas.job import Cell, JobSpec
from schemas.record import ExportRecord, Host, JobRecord


def needed(cell: Cell) -> bool:
    """Whether a cell's jobs load what another framework has exported, or what their own mode has saved."""
    return bool(known()[cell.framework].exporter) or cell.origin == "file"


def suffix(cell: Cell) -> str:
    """How the name of a cell's artefact ends: some frameworks read no others."""
    return mode_of(cell).suffix if cell.origin == "file" else ".onnx"


def in_place_of_a_job(spec: JobSpec, export: ExportRecord, log: Path) -> JobRecord:
    """The one record of a cell for which nothing could be made that it needs: none of its jobs was started."""
    assert export.outcome != "exported"
    advice = export.advice if export.outcome == "unsupported" else f"what was printed meanwhile is in {log}"
    what = f"its reference, {spec.reference} in float64, failed: " if export.spec.expect else ""
    reason = f"{what}{export.reason}"
    return JobRecord(spec=spec, outcome=export.outcome, reason=reason, host=export.host, advice=advice)


@dataclass(frozen=True, slots=True)
class Exports:
    """The exports of one run. A cell and its A/A clone load the same file."""

    launcher: Launcher
    store: Store
    host: Host
    environments: Environments
    made: set[str] = field(default_factory=set)
    """The cells whose file this process had made. What a mode saves may hold code, and is trusted from nobody else."""

    def export(self, job: JobSpec, on_event: Callable[[Event], None]) -> ExportRecord:
        """Export what this job of a cell has to load, unless this run has it, and keep the record."""
        original = job.cell.model_copy(update={"replica": 0})
        writing = {"cell": original, "export": str(self.store.artefact(original, suffix(original)))}
        return self._once(job.model_copy(update=writing), on_event)

    def expect(self, job: JobSpec, on_event: Callable[[Event], None]) -> ExportRecord:
        """Work out what this job of a referee must give, unless this run has it, and keep the record."""
        return self._once(job.model_copy(update={"expect": str(self.store.expected(job.cell))}), on_event)

    def _once(self, spec: JobSpec, on_event: Callable[[Event], None]) -> ExportRecord:
        for record in self.store.exports():
            if record.spec.cell == spec.cell and self._stands(record):
                return record
        record = self._run(spec, on_event)
        if judge.transient(record):
            record = self._run(spec, on_event)
        self.made.add(spec.cell.id)
        self.store.write_export(record)
        return record

    def _stands(self, record: ExportRecord) -> bool:
        if record.outcome == "interrupted":
            return False
        foreign = record.exported is not None and record.spec.cell.origin == "file"
        return record.spec.cell.id in self.made or not (foreign or judge.transient(record))

    def _run(self, spec: JobSpec, on_event: Callable[[Event], None]) -> ExportRecord:
        ending, outside = watched.launched(self.launcher, spec, self.store.export_log(spec.cell), on_event)
        last = ending.events[-1] if ending.events else None
        exported = last if isinstance(last, Exported) and ending.how == "ended" else None
        judgement = judge.judge(spec, ending)
        return ExportRecord(
            spec=spec,
            outcome="exported" if exported else judgement.outcome,
            exported=exported,
            reason="" if exported else judgement.reason,
            advice="" if exported else judgement.advice,
            host=self.host,
            freeze=self.environments.of(spec).freeze,
            outside=outside,
        )
