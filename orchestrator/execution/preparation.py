"""The files that jobs of a sweep need from other jobs before the first block: expected results, and saved models."""

from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.execution.artefacts import ArtefactMaker, needs_artefact
from orchestrator.execution.budget import Budget
from orchestrator.planning.plan import Plan
from orchestrator.records.labels import format_title
from schemas.artefact import Artefact
from schemas.event import Exported
from schemas.job import Cell, JobSpec
from schemas.record import JobRecord

MakeArtefact = Callable[[JobSpec], JobRecord]


@dataclass(slots=True)
class Preparation:
    """The expected results and saved models of a sweep's cells.

    `has_room` tells whether the budget has room for a job of a cell, and `is_stopped` whether the sweep is to end.
    `drop_cell` is told a cell's job and the failed job that it needed. `done` are the cells that are prepared, those of
    a resumed run included, and `left_out` those for which the budget had no room: none of their jobs starts.
    """

    plan: Plan
    maker: ArtefactMaker
    first_block: int
    budget: Budget
    has_room: Callable[[Cell], bool]
    is_stopped: Callable[[], bool]
    drop_cell: Callable[[JobSpec, JobRecord], None]
    done: set[str] = field(default_factory=set)
    left_out: set[str] = field(default_factory=set)
    _failed: set[str] = field(default_factory=set)
    _artefacts: dict[str, Artefact] = field(default_factory=dict)
    _expected: dict[str, Artefact] = field(default_factory=dict)
    _shared: dict[str, tuple[str, Artefact]] = field(default_factory=dict)

    def prepare_cells(self) -> bool:
        """Make the expected results and artefacts of all cells; return False if interrupted."""
        for position, cell in enumerate(self.plan.runnable):
            job = self.plan.build_job(cell, self.first_block, position)
            if job.reference and not self._make_expected(cell, job, position):
                return False
            # An export takes a model's state and inputs from there, or the weights of a workload.
            job = job.model_copy(update={"expected": self._expected.get(cell.id)})
            loads = needs_artefact(cell, self.plan.find_workload(cell)) and cell.id not in self._failed
            if loads and not self._make_for_cell(job, job, self.maker.export_model, self._artefacts):
                return False
        return True

    def may_prepare(self, cell: Cell) -> bool:
        """Return whether a job that others need may start: it fits, is there already, or comes before all others."""
        has_time = self.budget.spent_s < self.budget.limit_s
        return bool(
            self.plan.least_blocks or cell.id in self.done or (not self.done and has_time) or self.has_room(cell)
        )

    def add_files(self, spec: JobSpec) -> JobSpec:
        """Return a job with the files that were made for its cell."""
        made = {"artefact": self._artefacts.get(spec.cell.id), "expected": self._expected.get(spec.cell.id)}
        return spec.model_copy(update=made)

    def _make_expected(self, cell: Cell, job: JobSpec, position: int) -> bool:
        """Make the expected results of a cell's jobs; return False if interrupted.

        The referee of a later variant of a model gets the file of the first one's, whose inputs and state it shares.
        """
        referee = self.plan.build_job(self.plan.find_reference_cell(cell, job.reference), job.block, position)
        computation = format_title(cell)
        if (
            cell.variant
            and job.model is not None
            and (first := self._shared.get(computation))
            and first[0] != cell.variant
        ):
            referee = referee.model_copy(update={"expected": first[1]})
        if not self._make_for_cell(job, referee, self.maker.compute_expected, self._expected):
            return False
        if made := self._expected.get(cell.id):
            self._shared.setdefault(computation, (cell.variant, made))
        return True

    def _make_for_cell(self, job: JobSpec, source: JobSpec, make: MakeArtefact, made: dict[str, Artefact]) -> bool:
        """Make in another job what a cell's jobs need, or drop the cell; return False if interrupted.

        If that fails, the failure becomes the cell's only record, and the cell is not run.
        """
        if not self.may_prepare(source.cell):
            self.left_out.add(job.cell.id)
            return True
        record = make(source)
        self.done.add(source.cell.id)
        if record.outcome == "interrupted" or self.is_stopped():
            return False
        if record.outcome == "exported" and isinstance(record.result, Exported):
            made[job.cell.id] = record.result.artefact
        else:
            self._failed.add(job.cell.id)
            self.drop_cell(job, record)
        return True
