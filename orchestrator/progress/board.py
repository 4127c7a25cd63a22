"""The state of a sweep in progress, as a fold over its events. Pure: it draws nothing and reads no clock."""

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.analysis.compare import Scores
from orchestrator.analysis.forecast import (
    Family,
    Forecast,
    combine_forecasts,
    forecast_looks,
    forecast_verdict,
    list_log_ratios,
)
from orchestrator.analysis.process_scores import score_processes
from orchestrator.analysis.results import Group
from orchestrator.analysis.statistics.looks import list_looks
from orchestrator.analysis.stopping import count_ranked_pairs, group_sweep_results
from orchestrator.execution.sweep_events import (
    BlockStarted,
    JobEnded,
    JobEventReceived,
    JobRestored,
    JobStarted,
    SweepContinued,
    SweepEvent,
    UnmeasuredJobEnded,
)
from orchestrator.planning.plan import Plan
from schemas.event import Phase, PhaseName
from schemas.job import Cell, JobSpec
from schemas.record import JobRecord
from schemas.sweep import SweepSpec

# In this many first blocks the results are computed after each job, later after each block: their cost grows.
EARLY_BLOCKS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One moment of a sweep. Times in seconds; `guess_s` is the expected duration of a block before any has run."""

    plan: Plan
    started_s: float
    now_s: float
    guess_s: float
    guesses_s: Mapping[str, float] = field(default_factory=dict)
    """The expected duration of a cell's job by its id; without any, all jobs of a block take the same time."""
    block: int = 0
    block_began_s: float = 0.0
    blocks_s: tuple[float, ...] = ()
    """Durations of complete blocks without restored jobs."""
    took_s: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Durations of each cell's jobs, by its id."""
    order: tuple[Cell, ...] = ()
    has_restored_jobs: bool = False
    """True if jobs of this block were restored: then its duration now is meaningless."""
    running: JobSpec | None = None
    running_since_s: float = 0.0
    phase: PhaseName | None = None
    records: tuple[JobRecord, ...] = ()
    groups: tuple[Group, ...] = ()
    forecast: Forecast | None = None
    """The blocks after which the goal may be reached; None: too little is known."""

    @property
    def jobs_in_block(self) -> int:
        """The number of jobs of this block."""
        return len(self.order)

    def job_s(self, cell: Cell) -> float:
        """Return the expected duration of a job: the median of the same cell's, or a guess."""
        if own := self.took_s.get(cell.id):
            return statistics.median(own)
        guess_s = self.guesses_s.get(cell.id)
        return self.guess_s / max(1, len(self.plan.runnable)) if guess_s is None else guess_s

    @property
    def block_s(self) -> float:
        """The expected duration of a block: the median, so that a disturbed block has little weight."""
        return statistics.median(self.blocks_s) if self.blocks_s else sum(map(self.job_s, self.plan.runnable))

    @property
    def rest_of_job_s(self) -> float:
        """The expected rest of the running job; 0 if it has taken longer than expected."""
        if self.running is None:
            return 0.0
        return max(0.0, self.job_s(self.running.cell) - (self.now_s - self.running_since_s))

    @property
    def rest_of_block_s(self) -> float:
        """The expected time until this block ends: the rest of its running job, and the jobs that have not started."""
        begun = {record.spec.cell.id for record in self.records if record.spec.block == self.block}
        if self.running is not None:
            begun.add(self.running.cell.id)
        return self.rest_of_job_s + sum(self.job_s(cell) for cell in self.order if cell.id not in begun)

    @property
    def budget_left_s(self) -> float:
        """The rest of the budget; infinite while blocks run that were asked for by their number."""
        if self.block < self.plan.least_blocks:
            return math.inf
        return max(0.0, self.plan.spec.stop.budget - (self.now_s - self.started_s))

    @property
    def allowed_blocks(self) -> int:
        """The number of blocks that fit the budget, at most the allowed number."""
        stop = self.plan.spec.stop
        if math.isinf(self.budget_left_s):
            return min(stop.blocks, self.plan.least_blocks)
        more = int(max(0.0, self.budget_left_s - self.rest_of_block_s) / self.block_s) if self.block_s else stop.blocks
        return min(stop.blocks, max(1, self.block + more))

    @property
    def expected_blocks(self) -> int:
        """The expected number of blocks: until the goal is reached or the budget is used up."""
        return self._cap_blocks(self.forecast.likely if self.forecast else None)

    @property
    def blocks_range(self) -> tuple[int, int]:
        """The lowest and highest likely number of blocks; at first, the allowed number."""
        soonest, latest = (self.forecast.soonest, self.forecast.latest) if self.forecast else (None, None)
        return self._cap_blocks(soonest), self._cap_blocks(latest)

    def _cap_blocks(self, look: int | None) -> int:
        """Limit a number of blocks to the allowed ones; None stands for all of them."""
        return max(1, self.block, min(self.allowed_blocks, look or self.allowed_blocks))

    @property
    def jobs_done(self) -> int:
        """The number of started jobs that have ended."""
        return sum(record.outside is not None for record in self.records)

    @property
    def jobs_expected(self) -> int:
        """The number of jobs done, left in this block, and in later blocks."""
        done_here = sum(record.spec.block == self.block and record.outside is not None for record in self.records)
        left = self.jobs_in_block - done_here if self.block else len(self.plan.runnable)
        per_block = self.jobs_in_block or len(self.plan.runnable)
        return self.jobs_done + left + per_block * (self.expected_blocks - max(1, self.block))

    def seconds_until(self, blocks: int) -> float:
        """Return the time until this number of blocks has ended, in seconds.

        It is no longer than the budget lasts, except for the job that is running then.
        """
        rest_s = self.rest_of_block_s + self.block_s * max(0, blocks - self.block)
        return min(rest_s, max(self.budget_left_s, self.rest_of_job_s))

    @property
    def widest(self) -> tuple[str, float] | None:
        """The cell with the least precise ratio to its baseline, and the half-width; None before any interval."""
        ratios = [found for group in self.groups for found in group.against.values()]
        widths = [(found.cell, found.log_half_width) for found in ratios if math.isfinite(found.log_half_width)]
        return max(widths, key=lambda each: each[1], default=None)


def apply_event(board: Board, event: SweepEvent, now_s: float) -> Board:
    """Return the board after one more event."""
    board = dataclasses.replace(board, now_s=now_s)
    match event:
        case BlockStarted(block, order):
            return begin_block(board, block, order)
        case JobStarted(spec):
            return dataclasses.replace(board, running=spec, running_since_s=now_s, phase=None)
        case JobEventReceived(Phase(name=name)):
            return dataclasses.replace(board, phase=name)
        case JobEnded(record):
            return add_record(note_duration(board, record), record)
        case UnmeasuredJobEnded():
            return dataclasses.replace(board, running=None, phase=None)
        case JobRestored(record):
            return add_record(dataclasses.replace(board, has_restored_jobs=True), record)
        case SweepContinued(paused_s):
            return dataclasses.replace(
                board, started_s=board.started_s + paused_s, block_began_s=board.block_began_s + paused_s
            )
        case _:
            return board


def note_duration(board: Board, record: JobRecord) -> Board:
    """Return the board with the duration of a job that has just ended. One that fills a cache is like no other."""
    if board.running is None or record.outside is None or not record.spec.block:
        return board
    cell = record.spec.cell.id
    took_s = (*board.took_s.get(cell, ()), board.now_s - board.running_since_s)
    return dataclasses.replace(board, took_s={**board.took_s, cell: took_s})


def begin_block(board: Board, block: int, order: Sequence[Cell]) -> Board:
    """Return the board at the start of a block with these jobs."""
    took = (board.now_s - board.block_began_s,) if board.block and not board.has_restored_jobs else ()
    return dataclasses.replace(
        board,
        block=block,
        block_began_s=board.now_s,
        order=tuple(order),
        has_restored_jobs=False,
        blocks_s=(*board.blocks_s, *took),
        forecast=estimate_remaining_looks(board.groups, board),
    )


def add_record(board: Board, record: JobRecord) -> Board:
    """Return the board with one more record, and with new results where they are due."""
    board = dataclasses.replace(board, records=(*board.records, record), running=None, phase=None)
    ended = sum(each.spec.block == board.block and each.outside is not None for each in board.records)
    if board.block > EARLY_BLOCKS and ended < board.jobs_in_block:
        return board
    plan = board.plan
    groups = group_sweep_results(plan.spec, plan.cells, board.records, plan.looks)
    return dataclasses.replace(board, groups=groups)


def estimate_remaining_looks(groups: Sequence[Group], board: Board) -> Forecast | None:
    """Forecast the blocks after which every group may be precise enough; None if too little is known."""
    of_cell: dict[str, list[JobRecord]] = {}
    for record in board.records:
        of_cell.setdefault(record.spec.cell.id, []).append(record)
    looks = []
    for group in groups:
        labels = [standing.cell for standing in group.standings]
        scores = {label: score_processes(of_cell[group.result(label).cell.id]) for label in labels}
        if group.baseline in scores and len(scores) > 1:
            looks.append(forecast_group(group, scores, board.plan.spec, count_ranked_pairs(board.plan.cells)))
    known = [look for look in looks if look is not None]
    return combine_forecasts(known) if known and len(known) == len(looks) else None


def forecast_group(group: Group, scores: Mapping[str, Scores], spec: SweepSpec, ranked: int) -> Forecast | None:
    """Forecast the look at which a group reaches the goal of its sweep; None if too little is known."""
    if spec.stop.until == "precision":
        return forecast_looks(scores, group.baseline, spec.stop.precision, pairs=len(group.comparisons), ranked=ranked)
    family = Family(pairs=len(group.comparisons), alpha=group.alpha, margin=math.log1p(spec.margin))
    pairs = [list_log_ratios(scores[each.baseline], scores[each.cell]) for each in group.comparisons]
    looks = list_looks(ranked)
    found = [forecast_verdict(ratios, family, [look for look in looks if look >= len(ratios)]) for ratios in pairs]
    known = [each for each in found if each is not None]
    return combine_forecasts(known) if known and len(known) == len(found) else None
