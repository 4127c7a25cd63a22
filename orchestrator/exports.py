"""What is built in one process to be run in others: exported once for each cell and run, in a job of its own.

What an export costs stays in its record. It is no part of what is measured, and of no process that is measured.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from orchestrator import judge
from orchestrator.environments import Environments
from orchestrator.frameworks import known
from orchestrator.launchers import Launcher
from orchestrator.store import Store
from schemas.event import Event, Exported
from schemas.job import Cell, JobSpec
from schemas.record import ExportRecord, Host, JobRecord, Outside


def needed(cell: Cell) -> bool:
    """Whether a cell's jobs load what another framework has exported."""
    return bool(known()[cell.framework].exporter)


def in_place_of_a_job(spec: JobSpec, export: ExportRecord, log: Path) -> JobRecord:
    """The one record of a cell whose export failed: none of its jobs was started."""
    assert export.outcome != "exported"
    advice = export.advice if export.outcome == "unsupported" else f"what its exporter printed is in {log}"
    return JobRecord(spec=spec, outcome=export.outcome, reason=export.reason, host=export.host, advice=advice)


@dataclass(frozen=True, slots=True)
class Exports:
    """The exports of one run. A cell and its A/A clone load the same file."""

    launcher: Launcher
    store: Store
    host: Host
    environments: Environments

    def export(self, job: JobSpec, on_event: Callable[[Event], None]) -> ExportRecord:
        """Export what this job of a cell has to load, unless this run has it, and keep the record."""
        original = job.cell.model_copy(update={"replica": 0})
        for record in self.store.exports():
            if record.spec.cell == original and record.outcome != "interrupted":
                return record
        spec = job.model_copy(update={"cell": original, "export": str(self.store.artefact(original))})
        record = self._run(spec, on_event)
        self.store.write_export(record)
        return record

    def _run(self, spec: JobSpec, on_event: Callable[[Event], None]) -> ExportRecord:
        started, load = datetime.now().astimezone().isoformat(timespec="milliseconds"), os.getloadavg()[0]
        ending = self.launcher(spec, self.store.export_log(spec.cell), on_event)
        last = ending.events[-1] if ending.events else None
        exported = last if isinstance(last, Exported) and ending.how == "ended" else None
        judgement = judge.judge(spec, ending)
        return ExportRecord(
            spec=spec, outcome="exported" if exported else judgement.outcome, exported=exported,
            reason="" if exported else judgement.reason, advice="" if exported else judgement.advice, host=self.host,
            freeze=self.environments.of(spec).freeze,
            outside=Outside(
                started=started, spawn_to_end_ns=ending.wall_ns, exit_status=ending.status,
                last_phase=judge.last_phase(ending), load_before=load, looks=ending.seen.looks,
                resident_peak_bytes=ending.seen.peak_bytes, resident_last_bytes=ending.seen.last_bytes,
            ),
        )  # fmt: skip
