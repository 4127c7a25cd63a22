"""A plan and the folder of its run: measured alike for a command with a terminal and for a program without one."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from orchestrator.analysis.derivation.run_reader import index_records
from orchestrator.analysis.run import Run
from orchestrator.analysis.stopping import has_reached_goal
from orchestrator.execution.keyboard import Keyboard
from orchestrator.execution.peak_rates import PeakRates
from orchestrator.execution.session import open_session
from orchestrator.execution.sweep import Sweep
from orchestrator.execution.sweep_events import SweepEvent
from orchestrator.files.cache_folder import find_cache_folder
from orchestrator.files.git import read_commit
from orchestrator.machine import fingerprint
from orchestrator.planning.estimate import MAX_RECORDS_FOR_ESTIMATE, seconds_by_mode
from orchestrator.planning.plan import Plan
from orchestrator.processes import descendants
from orchestrator.processes.signals import Interrupts
from orchestrator.records import provenance, store
from orchestrator.records.store import Store
from schemas.environment import EnvironmentRecord
from schemas.record import Host, JobRecord, Manifest, Placement

# Shows the events of a sweep while entered.
View = AbstractContextManager[Callable[[SweepEvent], None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOfRun:
    """The part of a run that one node measures: it begins with a block, and ends with the last one of its plan."""

    first_block: int
    placement: Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """A plan with the folder and the manifest of its run.

    `known` are durations of jobs by mode. `earlier` are the records of a run that is resumed. A `part` of a run ends
    with its last block, whatever its results.
    """

    folder: Store
    plan: Plan
    manifest: Manifest
    known: Mapping[str, float]
    earlier: Sequence[JobRecord] = ()
    resumed: bool = False
    part: PartOfRun | None = None

    def write_manifest(self) -> None:
        """Write the manifest, which makes the folder a run that can be resumed, and the sweep file that repeats it."""
        self.folder.write_manifest(self.manifest)
        self.folder.write_sweep_file(self.manifest)

    def measure(self, interrupts: Interrupts, view: View, keys: Keyboard) -> tuple[Run, bool]:
        """Run the jobs; return the run with its final manifest, and whether a signal or a key ended it early.

        Raises:
            OSError: the folder cannot be written to; everything before is kept.
        """
        machine = fingerprint.take_fingerprint()  # a resumed run may have begun on another machine
        peaks, planned = PeakRates.load(find_cache_folder(), machine), self.plan
        # A view on a worker's core would disturb what it shows.
        cores = {core for cell in planned.cells for core in planned.choose_cores(cell)}
        with open_session(cores, planned.environments, keys, interrupts) as session, view as shown:
            going = Sweep(
                plan=planned,
                launcher=session.launcher,
                store=self.folder,
                host=machine,
                publish=shown,
                interrupts=session.interrupts,
                earlier=self.earlier,
                resumed=self.resumed,
                keys=session.keys,
                peaks=peaks,
                known=self.known,
                templates=session.templates,
                enough=self._is_enough,
                first_block=self.part.first_block if self.part else 1,
                placement=self.part.placement if self.part else None,
            )
            stopped = going.run()
        peaks.save()
        ended = self.manifest.model_copy(update={"stopped": stopped, "finished": not going.stopped_early})
        self.folder.write_manifest(ended)
        if self.part is None:  # nobody reads the folder of a part
            index_records(self.folder, going.records)
        return Run(name=self.folder.name, manifest=ended, records=tuple(going.records)), going.stopped_early

    def _is_enough(self, records: Sequence[JobRecord], block: int) -> bool:
        plan = self.plan
        return self.part is None and has_reached_goal(plan.spec, plan.cells, records, block, plan.looks)


def begin_run(
    planned: Plan, machine: Host, root: Path, command: Sequence[str], environments: Mapping[str, EnvironmentRecord]
) -> PlannedRun:
    """Create the folder of a new run of a plan, and describe the run in its manifest.

    Raises:
        UsageError: the folder cannot be created.
    """
    known = seconds_by_mode(store.read_recent(root, MAX_RECORDS_FOR_ESTIMATE), machine)
    began = datetime.now().astimezone()
    return PlannedRun(
        folder=store.create_run(root, planned.spec.name, began),
        plan=planned,
        manifest=make_manifest(planned, machine, began, command, environments),
        known=known,
    )


def make_manifest(
    planned: Plan, machine: Host, began: datetime, command: Sequence[str], environments: Mapping[str, EnvironmentRecord]
) -> Manifest:
    """Describe a run of a plan that begins now."""
    return Manifest(
        name=planned.spec.name,
        started=began.isoformat(timespec="seconds"),
        command=tuple(command),
        sweep=planned.spec,
        seed=planned.seed,
        cells=planned.cells,
        host=machine,
        environments=dict(environments),
        warnings=planned.warnings,
        cores=planned.cores,
        identity=provenance.make_identity(planned.spec, planned.seed, planned.cells),
        commits=read_commits(planned),
    )


def read_commits(planned: Plan) -> dict[str, str]:
    """Return the commit of each user's workload or model whose folder is in a git checkout, by its name in cells."""
    found = {
        cell.workload_key: read_commit(Path(place)) for cell in planned.cells if (place := planned.find_place(cell))
    }
    return {name: commit for name, commit in found.items() if commit}


def describe_lock_owner() -> str:
    """Return the content of a run's lock: the writer's process id, and the mark of everything it starts."""
    return f"{os.getpid()} {descendants.PROCESS_MARK}"
