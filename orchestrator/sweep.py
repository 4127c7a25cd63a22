"""Runs a plan block by block: launch, judge, store, publish; and knows when to stop."""

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator import judge
from orchestrator.interrupts import Interrupts
from orchestrator.launchers import Launcher
from orchestrator.plan import Plan
from orchestrator.store import Store
from schemas.event import Ceiling, Event
from schemas.job import Cell, JobSpec
from schemas.record import Host, JobRecord, Outside


@dataclass(frozen=True, slots=True)
class BlockStarted:
    """A block begins, with these cells in this order."""

    block: int
    order: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class JobStarted:
    """A job begins."""

    spec: JobSpec


@dataclass(frozen=True, slots=True)
class JobSaid:
    """The running job sent an event."""

    event: Event


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A job has ended and its record is on disk."""

    record: JobRecord


SweepEvent = BlockStarted | JobStarted | JobSaid | JobEnded
Enough = Callable[[Sequence[JobRecord], int], bool]


@dataclass
class Sweep:
    """One sweep in progress. `enough` says from the records whether the precision is reached after a block."""

    plan: Plan
    launcher: Launcher
    store: Store
    host: Host
    enough: Enough
    publish: Callable[[SweepEvent], None]
    interrupts: Interrupts
    clock: Callable[[], float] = time.monotonic
    records: list[JobRecord] = field(default_factory=list)
    _ceilings: dict[tuple[str, int], Ceiling] = field(default_factory=dict)
    _calls: dict[str, int] = field(default_factory=dict)
    _dropped: set[str] = field(default_factory=set)
    _failures: Counter[str] = field(default_factory=Counter)

    def run(self) -> str:
        """Run until precision, budget, number of blocks or a signal ends it, and say which, in words."""
        stop = self.plan.spec.stop
        self._record_refused()
        start, longest = self.clock(), 0.0
        self._fill_caches()
        for block in range(1, stop.blocks + 1):
            cells = [cell for cell in self.plan.runnable if cell.id not in self._dropped]
            if not cells:
                return "no cell was left that could be measured"
            began = self.clock()
            if block > 1 and began - start + longest > stop.budget:
                return f"the budget of {stop.budget:g} s was used up"
            if not self._block(block, cells):
                received = self.interrupts.received
                return f"stopped by {received.name}" if received else "a job was interrupted"
            longest = max(longest, self.clock() - began)
            if self.enough(self.records, block):
                return f"every ratio's interval is within {stop.precision:.1%} of its estimate"
        return f"all {stop.blocks} blocks were run"

    def _fill_caches(self) -> None:
        """Let each cell with a warm cache run once, as block 0, whose records are kept and never counted."""
        for position, cell in enumerate(self.plan.to_fill):
            if self.interrupts.received is None:
                self.job(self.plan.job(cell, 0, position, None))

    def _block(self, block: int, cells: Sequence[Cell]) -> bool:
        """Run one block; False if it was interrupted."""
        order = self.plan.order(cells, block)
        self.publish(BlockStarted(block, order))
        for position, cell in enumerate(order):
            record = self.job(self.plan.job(cell, block, position, self._calls.get(cell.id)))
            if record.outcome == "interrupted" or self.interrupts.received is not None:
                return False
        return True

    def job(self, spec: JobSpec) -> JobRecord:
        """Run one job and keep its record."""
        started, load = datetime.now().astimezone().isoformat(timespec="milliseconds"), os.getloadavg()[0]
        self.publish(JobStarted(spec))
        ending = self.launcher(spec, self.store.log(spec), lambda event: self.publish(JobSaid(event)))
        report = judge.report_of(ending)
        same = (spec.cell.dtype, spec.cell.threads)
        if report is not None:
            self._ceilings[same] = judge.higher(self._ceilings.get(same), report.ceiling)
        judgement = judge.judge(spec, ending, self._ceilings.get(same))
        record = JobRecord(
            spec=spec, outcome=judgement.outcome, reason=judgement.reason, advice=judgement.advice,
            report=report, host=self.host,
            outside=Outside(
                started=started, spawn_to_end_ns=ending.wall_ns, exit_status=ending.status,
                last_phase=judge.last_phase(ending), load_before=load,
            ),
        )  # fmt: skip
        self._keep(record)
        return record

    def _keep(self, record: JobRecord) -> None:
        self.store.write(record)
        self.records.append(record)
        cell = record.spec.cell.id
        if record.report is not None and record.outcome == "measured":
            self._calls.setdefault(cell, record.report.calls)
        if record.outcome != "measured":
            self._failures[cell] += 1
        if record.outcome in judge.FINAL or self._failures[cell] >= judge.TRIES:
            self._dropped.add(cell)
        self.publish(JobEnded(record))

    def _record_refused(self) -> None:
        """A cell that cannot run here has its one record too."""
        for position, cell in enumerate(self.plan.cells):
            if reason := self.plan.refused.get(cell.id):
                spec = self.plan.job(cell, 1, position, None)
                self._keep(JobRecord(spec=spec, outcome="unsupported", reason=reason, host=self.host))
