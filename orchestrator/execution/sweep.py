"""The run of a plan, block by block: which job comes next, and when to stop."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from orchestrator.analysis.quality.starts import differ_by_start
from orchestrator.analysis.statistics.looks import LOOKS
from orchestrator.analysis.stopping import describe_goal
from orchestrator.execution.artefacts import ArtefactMaker, keep_failure
from orchestrator.execution.breaches import shares_breach
from orchestrator.execution.budget import Budget
from orchestrator.execution.job import JobRunner
from orchestrator.execution.keyboard import Keyboard
from orchestrator.execution.launchers import Launcher
from orchestrator.execution.launchers.template_pool import TemplatePool
from orchestrator.execution.peak_rates import PeakRates
from orchestrator.execution.preparation import Preparation
from orchestrator.execution.profiling import make_profiling_jobs
from orchestrator.execution.repetition import repeat_timing
from orchestrator.execution.sweep_events import (
    BlockEnded,
    BlockStarted,
    JobEnded,
    JobEventReceived,
    JobRestored,
    JobStarted,
    SweepContinued,
    SweepEvent,
    SweepPaused,
    UnmeasuredJobEnded,
)
from orchestrator.planning.estimate import total_duration_s
from orchestrator.planning.plan import Plan
from orchestrator.planning.starts import FIRST_FORKED_BLOCK
from orchestrator.processes.signals import Interrupts
from orchestrator.records import outcomes
from orchestrator.records.attempts import next_attempt
from orchestrator.records.outcomes import Classification, should_retry
from orchestrator.records.store import Store
from schemas.event import Report
from schemas.job import Cell, JobSpec
from schemas.record import Host, JobRecord, Placement

LOST_REASON = "the orchestrator ended before it could record the outcome of this job"
PrecisionCheck = Callable[[Sequence[JobRecord], int], bool]


@dataclass
class Sweep:
    """One sweep in progress. `enough` decides from the records whether a block has reached the goal.

    `earlier` holds the records of a run that is resumed. They are replayed as if their jobs ran now. So orders, numbers
    of calls, dropped cells and the spent budget are the same again. `known` are durations of jobs by mode. A share of a
    sweep begins with the block `first_block`, and its records have its `placement`.
    """

    plan: Plan
    launcher: Launcher
    store: Store
    host: Host
    enough: PrecisionCheck
    publish: Callable[[SweepEvent], None]
    interrupts: Interrupts
    resumed: bool = False
    earlier: Sequence[JobRecord] = ()
    peaks: PeakRates = field(default_factory=PeakRates)
    known: Mapping[str, float] = field(default_factory=dict)
    templates: TemplatePool | None = None
    clock: Callable[[], float] = time.monotonic
    keys: Keyboard = field(default_factory=Keyboard)
    first_block: int = 1
    placement: Placement | None = None
    records: list[JobRecord] = field(default_factory=list)
    _earlier: dict[str, list[Report]] = field(default_factory=lambda: defaultdict(list))
    _dropped: set[str] = field(default_factory=set)
    _set_apart: dict[str, Cell] = field(default_factory=dict)
    _is_cut: bool = False
    _failures: Counter[str] = field(default_factory=Counter)
    _paused_s: float = 0.0

    def __post_init__(self) -> None:
        self._jobs = JobRunner(
            self.launcher,
            self.store,
            self.host,
            self.plan.environments,
            lambda event: self.publish(JobEventReceived(event)),
            self.peaks,
            self.placement,
        )
        made = self.store.read_artefact_records() if self.resumed else []
        spec, before_s = self.plan.spec, total_duration_s([*self.earlier, *made])
        estimate_s = partial(self.plan.estimate_job_s, known=self.known)
        self._budget = Budget(spec.stop.budget, estimate_s, self._now_s, before_s)
        self._preparation = Preparation(
            self.plan,
            ArtefactMaker(self.store, self._run_unmeasured, self.plan.environments.choose_export_environment),
            self.first_block,
            self._budget,
            has_room=lambda cell: self._has_room([cell]),
            is_stopped=lambda: self.stopped_early,
            drop_cell=self._drop_unprepared,
            done={record.spec.cell.id for record in made if record.outcome == "exported"},
        )

    def run(self) -> str:
        """Run until its goal, budget, number of blocks or a signal ends it, and return which, in words."""
        self._budget.start()
        stopped = self._measure_blocks()
        if self.plan.spec.profile and not self.stopped_early:
            stopped += self._profile_cells()
        return self._describe_interruption() if self.stopped_early else stopped

    @property
    def stopped_early(self) -> bool:
        """True once a signal or the user has asked the sweep to end."""
        return self.interrupts.received is not None or self.keys.stopping

    def _now_s(self) -> float:
        """Return the time on a clock that stands still while the sweep is paused."""
        return self.clock() - self._paused_s

    def _measure_blocks(self) -> str:
        stop, least = self.plan.spec.stop, self.plan.least_blocks
        self._record_refused()
        if not (self._preparation.prepare_cells() and self._fill_caches()):
            return self._describe_interruption()
        for block in range(self.first_block, stop.blocks + 1):
            if not (cells := self._list_remaining()):
                return "no cell was left that could be measured"
            if not self._may_begin(block, cells):
                return self._describe_spent_budget()
            if not self._run_block(block, cells):
                return self._describe_interruption()
            if self._is_cut:
                return self._describe_spent_budget()
            self.publish(BlockEnded(block))
            if block >= least and self.enough(self.records, block):
                return self._describe_end(block)
        return f"all {stop.blocks} blocks were run"

    def _list_remaining(self) -> list[Cell]:
        """Return the cells that the next block measures."""
        return [cell for cell in self.plan.runnable if cell.id not in self._dropped]

    def _may_begin(self, block: int, cells: Sequence[Cell]) -> bool:
        """Return whether a block may begin: one that fits, or one of which any part is worth having."""
        begun = {record.spec.block for record in self.earlier}
        is_due = block <= max(1, self.plan.least_blocks) or block in begun
        return is_due or self._has_room(cells, self._budget.forecast_opening_s())

    def _has_room(self, cells: Sequence[Cell], reserved_s: float = 0.0) -> bool:
        """Return whether the budget has room for a job of each of these cells, and for the profiles after all."""
        return self._budget.has_room(cells, reserved_s + self._budget.forecast_s(self._list_profiled()))

    def _may_start(self, spec: JobSpec) -> bool:
        """Return whether a job may start. The first one may if there is any time: its sweep would have no answer."""
        if spec.block <= self.plan.least_blocks:
            return True
        is_first = not any(record.outside for record in self.records) and self._budget.spent_s < self._budget.limit_s
        return spec.cell.id not in self._preparation.left_out and (is_first or self._has_room([spec.cell]))

    def _describe_spent_budget(self) -> str:
        """Describe the end of a sweep by its budget, and what is missing if that was in the first block."""
        stopped = f"the budget of {self.plan.spec.stop.budget:g} s was used up"
        measured = {record.spec.cell.id for record in self.records if record.outcome == "measured"}
        is_first = max((record.spec.block for record in self.records), default=0) <= 1
        if not (is_first and self._is_cut):
            return stopped
        return f"{stopped} in the first block: {len(measured)} of {len(self.plan.runnable)} cells were measured"

    def _describe_end(self, block: int) -> str:
        """Describe why no further block is needed."""
        if block >= LOOKS[-1]:
            return f"{block} blocks were run, the most for which the intervals are valid"
        return describe_goal(self.plan.spec, self.plan.cells, self.records, self.plan.looks)

    def _describe_interruption(self) -> str:
        received = self.interrupts.received
        if received is not None:
            return f"stopped by {received.name}"
        return "stopped by the user" if self.keys.stopping else "a job was interrupted"

    def _announce_job(self, spec: JobSpec) -> None:
        """Announce a job, after a pause if the user wants one."""
        if self.keys.paused:
            self.publish(SweepPaused())
            began = self.clock()
            self.keys.wait(self.interrupts)
            # A pause must not use up the budget, which pays for measuring only.
            self._paused_s += self.clock() - began
            self.publish(SweepContinued(self.clock() - began))
        self.publish(JobStarted(spec))

    def _list_profiled(self) -> list[Cell]:
        """Return the cells that will be profiled, as far as is known by now."""
        kept = [cell for cell in self._list_remaining() if not cell.replica]
        return kept if self.plan.spec.profile else []

    def _profile_cells(self) -> str:
        """Profile each measured cell once, and describe what the budget left out.

        Profiles never count as measurements.
        """
        jobs, left_out = make_profiling_jobs(self.store, self._list_measured_jobs()), 0
        if any(self._may_profile(job, self._budget.forecast_opening_s()) for job in jobs):
            self._open_templates(jobs)
        for job in jobs:
            if self.stopped_early:
                break
            if self._may_profile(job):
                self._run_unmeasured(job)
            else:
                left_out += 1
        return f", which left no time for {left_out} profile{'s' if left_out > 1 else ''}" if left_out else ""

    def _list_measured_jobs(self) -> list[JobSpec]:
        """Return a job of each measured cell, without clones."""
        measured = {record.spec.cell.id for record in self.records if record.outcome == "measured"}
        return [
            self._build_spec(cell, FIRST_FORKED_BLOCK, position)
            for position, cell in enumerate(self.plan.runnable)
            if cell.id in measured and not cell.replica
        ]

    def _may_profile(self, job: JobSpec, reserved_s: float = 0.0) -> bool:
        """Return whether the budget has room for a profile beside so many seconds, or does not matter."""
        return bool(self.plan.least_blocks) or self._budget.has_room([job.cell], reserved_s)

    def _build_spec(self, cell: Cell, block: int, position: int) -> JobSpec:
        """Return one job of the plan with its artefact, its expected results, and what earlier processes decide."""
        spec, original = self._preparation.add_files(self.plan.build_job(cell, block, position)), cell.original.id
        decided = {"timing": repeat_timing(spec.timing, self._earlier[original])}
        # A cell and its clone start alike, or they could differ by that.
        must_be_fresh = any(each.original.id == original for each in self._set_apart.values())
        return spec.model_copy(update=decided | ({"start": "fresh"} if must_be_fresh else {}))

    def _fill_caches(self) -> bool:
        """Run each cell with a warm cache once, as block 0, which never counts; return False if interrupted."""
        for position, cell in enumerate(self.plan.cells_to_fill):
            if self.stopped_early or cell.id in self._dropped:
                continue
            if self._preparation.may_prepare(cell):
                # A new attempt number, or a resumed run would overwrite its first record.
                before = [each for each in self.earlier if (each.spec.block, each.spec.cell.id) == (0, cell.id)]
                self._run_job(self._build_spec(cell, 0, position).model_copy(update={"attempt": next_attempt(before)}))
                self._preparation.done.add(cell.id)
            else:
                self._preparation.left_out.add(cell.id)
        return not (self.plan.cells_to_fill and self.stopped_early)

    def _run_block(self, block: int, cells: Sequence[Cell]) -> bool:
        """Run one block, or the part of it that fits the budget; return False if interrupted."""
        order = self.plan.order_cells(cells, block)
        self.publish(BlockStarted(block, order))
        done = {record.spec.cell.id for record in self.earlier if record.spec.block == block}
        self._open_templates(
            [self._build_spec(cell, block, position) for position, cell in enumerate(order) if cell.id not in done]
        )
        for position, cell in enumerate(order):
            if cell.id in self._dropped:
                continue  # the clone of a cell that was skipped in this block
            record = self._run_attempts(self._build_spec(cell, block, position))
            if record is None:
                # Pairs use the blocks that both cells have, so a part of a block is no harm.
                self._is_cut = True
                continue
            if record.outcome == "interrupted" or self.stopped_early:
                return False
        return True

    def _open_templates(self, jobs: Sequence[JobSpec]) -> None:
        """Let the templates of the next jobs import side by side."""
        if self.templates is None:
            return
        began_s = self._now_s()
        self.templates.open_block(jobs)
        if any(job.start == "template" for job in jobs):
            self._budget.note_opening(self._now_s() - began_s)

    def _run_attempts(self, spec: JobSpec) -> JobRecord | None:
        """Run one job until it needs no further attempt, and return its last record; None if one does not fit."""
        attempts = self._restore_attempts(spec)
        while not attempts or should_retry(attempts):
            if not self._may_start(spec):
                return None
            attempts.append(self._run_job(spec.model_copy(update={"attempt": next_attempt(attempts)})))
            if attempts[-1].outcome == "interrupted" or self.stopped_early:
                return attempts[-1]
        self._apply_outcome(attempts[-1])
        return attempts[-1]

    def _restore_attempts(self, spec: JobSpec) -> list[JobRecord]:
        """Restore the attempts at a job from before this run was resumed.

        A log without a record shows that the orchestrator was lost during the job.
        """
        same = (spec.block, spec.cell.id)
        found = [record for record in self.earlier if (record.spec.block, record.spec.cell.id) == same]
        found.sort(key=lambda record: record.spec.attempt)
        for record in found:
            self._restore_record(record)
            self.publish(JobRestored(record))
        begun = spec.model_copy(update={"attempt": next_attempt(found)})
        if self.resumed and self.store.log_path(begun).exists():
            lost = Classification("orchestrator-lost", LOST_REASON)
            found.append(self._publish_record(self._jobs.keep_record(begun, lost)))
        return found

    def _run_job(self, spec: JobSpec) -> JobRecord:
        self._announce_job(spec)
        began = self._now_s()
        record = self._jobs.run_job(spec)
        if spec.block:  # a job that fills a cache takes longer than those that find it filled
            self._budget.note_job(spec.cell, self._now_s() - began)
        return self._publish_record(record)

    def _run_unmeasured(self, spec: JobSpec) -> JobRecord:
        """Run a job that measures nothing."""
        self._announce_job(spec)
        record = self._jobs.run_job(spec)
        self.publish(UnmeasuredJobEnded(record))
        return record

    def _publish_record(self, record: JobRecord) -> JobRecord:
        self.records.append(record)
        self.publish(JobEnded(record))
        return record

    def _restore_record(self, record: JobRecord) -> None:
        self.records.append(record)
        if record.outside is not None:
            self._budget.note_job(record.spec.cell, total_duration_s([record]))
        # Without the earlier peaks, a resumed run could call a time implausible that was accepted before.
        self._jobs.peaks.update_rates(record.spec.cell, record.result)

    def _apply_outcome(self, record: JobRecord) -> None:
        """Apply the consequences of a job's last attempt to later jobs."""
        cell = record.spec.cell.id
        if record.report is not None and record.outcome == "measured":
            self._note_measured(record, record.report)
        if record.outcome != "measured":
            self._failures[cell] += 1
        if record.outcome in outcomes.FINAL_OUTCOMES or self._failures[cell] >= outcomes.MAX_FAILURES:
            self._dropped.add(cell)
        if record.outcome == "skipped":
            # A clone without its original would have nothing to be compared with.
            self._dropped |= {each.id for each in self.plan.cells if each.original == record.spec.cell.original}
        if record.breach:
            self._drop_alike(record)

    def _note_measured(self, record: JobRecord, report: Report) -> None:
        """Let later jobs of a cell and its clone sample as the first did, and start fresh while a fork matters."""
        # The first process decides, for the A/A clone as well: floors of other samples are not comparable.
        cell = record.spec.cell
        self._earlier[cell.original.id].append(report)
        if differ_by_start([each for each in self.records if each.spec.cell.id == cell.id]):
            self._set_apart[cell.id] = cell
        else:  # a gap between few processes was chance
            self._set_apart.pop(cell.id, None)

    def _drop_unprepared(self, job: JobSpec, failed: JobRecord) -> None:
        """Drop a cell that another job has prepared in vain; that failure becomes its only record."""
        self._dropped.add(job.cell.id)
        self._publish_record(keep_failure(self._jobs, job, failed))

    def _drop_alike(self, record: JobRecord) -> None:
        """Give every cell with the same broken part of a workload the same record, without starting its jobs."""
        self._dropped.add(record.spec.cell.id)
        advice = f"its job was not started; the traceback is in {self.store.log_path(record.spec)}"
        found = Classification(record.outcome, record.reason)
        for position, cell in enumerate(self.plan.runnable):
            if cell.id not in self._dropped and shares_breach(cell, record):
                self._dropped.add(cell.id)
                spec = self.plan.build_job(cell, record.spec.block, position)
                if not self._restore_attempts(spec):
                    self._publish_record(self._jobs.keep_record(spec, found, advice=advice, breach=record.breach))

    def _record_refused(self) -> None:
        """Write the single record of each cell that cannot run here."""
        for position, cell in enumerate(self.plan.cells):
            if reason := self.plan.refused.get(cell.id):
                spec = self.plan.build_job(cell, self.first_block, position)
                if not self._restore_attempts(spec):
                    self._publish_record(self._jobs.keep_record(spec, Classification("unsupported", reason)))
