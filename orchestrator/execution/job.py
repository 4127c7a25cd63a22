"""Jobs, each launched, classified and recorded. No other module does one of these."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.environments.lookup import Environments
from orchestrator.execution import classify
from orchestrator.execution.job_summary import add_summary
from orchestrator.execution.launchers import Launcher
from orchestrator.execution.peak_rates import PeakRates
from orchestrator.execution.stops import remove_stops
from orchestrator.records.outcomes import Classification
from orchestrator.records.store import Store
from schemas.event import Breach, Event
from schemas.job import JobSpec
from schemas.record import Host, JobObservation, JobRecord, Placement, Result


@dataclass(frozen=True, slots=True)
class JobRunner:
    """The runner of one run's jobs. Each job ends as exactly one record in the run's folder."""

    launcher: Launcher
    store: Store
    host: Host
    environments: Environments
    on_event: Callable[[Event], None] = lambda _: None
    peaks: PeakRates = field(default_factory=PeakRates)
    placement: Placement | None = None

    def run_job(self, spec: JobSpec) -> JobRecord:
        """Run a job to its end, whatever its purpose, and keep its record."""
        started, load = datetime.now().astimezone().isoformat(timespec="milliseconds"), os.getloadavg()[0]
        ending = remove_stops(self.launcher(spec, self.store.log_path(spec), self.on_event))
        result = classify.find_result(spec, ending)
        # Before classification: this process may have the highest rates yet, and must be judged by them.
        most = self.peaks.update_rates(spec.cell, result)
        return self.keep_record(
            spec,
            classify.classify_ending(spec, ending, most),
            result=result,
            outside=classify.outside_from_ending(ending, started, load),
            breach=classify.find_breach(ending),
            freeze=self.environments.find_for_job(spec).freeze,
        )

    def keep_record(
        self,
        spec: JobSpec,
        found: Classification,
        *,
        advice: str = "",
        result: Result | None = None,
        outside: JobObservation | None = None,
        freeze: str = "",
        breach: Breach = "",
    ) -> JobRecord:
        """Keep the record of a job that has ended, or that was never started."""
        record = JobRecord(
            spec=spec,
            outcome=found.outcome,
            reason=found.reason,
            advice=advice or found.advice,
            result=result,
            outside=outside,
            host=self.host,
            freeze=freeze,
            breach=breach,
            placement=self.placement,
        )
        self.store.write_record(add_summary(record))
        return record
