"""The state of a sweep in progress, as a fold over its events. Pure: it draws nothing and reads no clock."""

import dataclasses
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.analysis.forecast import Forecast, combine_forecasts, forecast_looks
from orchestrator.analysis.process_scores import score_records
from orchestrator.analysis.results import Group, group_results
from orchestrator.execution.sweep_events import (
    BlockStarted,
    JobEnded,
    JobEventReceived,
    JobRestored,
    JobStarted,
    SweepContinued,
    SweepEvent,
)
from orchestrator.planning.plan import Plan
from orchestrator.records.attempts import last_attempts
from schemas.event import Phase, PhaseName
from schemas.job import JobSpec
from schemas.record import JobRecord

# In this many first blocks the results are computed after each job, later after each block: their cost grows.
EARLY_BLOCKS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One moment of a sweep. Times in seconds; `guess_s` is the expected duration of a block before any has run."""

    plan: Plan
    started_s: float
    now_s: float
    guess_s: float
    block: int = 0
    block_began_s: float = 0.0
    blocks_s: tuple[float, ...] = ()
    """Durations of complete blocks without restored jobs."""
    jobs_in_block: int = 0
    has_restored_jobs: bool = False
    """True if jobs of this block were restored: then its duration now is meaningless."""
    running: JobSpec | None = None
    phase: PhaseName | None = None
    records: tuple[JobRecord, ...] = ()
    groups: tuple[Group, ...] = ()
    forecast: Forecast | None = None
    """The blocks after which the precision may be reached; None: too little is known."""

    @property
    def block_s(self) -> float:
        """The expected duration of a block: the median, so that a disturbed block has little weight."""
        return statistics.median(self.blocks_s) if self.blocks_s else self.guess_s

    @property
    def allowed_blocks(self) -> int:
        """The number of blocks that fit the budget, at most the allowed number."""
        stop = self.plan.spec.stop
        spent_s = self.block_began_s - self.started_s if self.block else 0.0
        more = int((stop.budget - spent_s) / self.block_s)
        return min(stop.blocks, max(1, self.block, self.block - 1 + more if self.block else more))

    @property
    def expected_blocks(self) -> int:
        """The expected number of blocks: until the precision is reached or the budget is used up."""
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
        """Return the time until this number of blocks has ended, in seconds."""
        spent_here = self.now_s - self.block_began_s if self.block else 0.0
        return max(0.0, self.block_s * (blocks - max(1, self.block) + 1) - spent_here)

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
            return begin_block(board, block, len(order))
        case JobStarted(spec):
            return dataclasses.replace(board, running=spec, phase=None)
        case JobEventReceived(Phase(name=name)):
            return dataclasses.replace(board, phase=name)
        case JobEnded(record):
            return add_record(board, record)
        case JobRestored(record):
            return add_record(dataclasses.replace(board, has_restored_jobs=True), record)
        case SweepContinued(paused_s):
            return dataclasses.replace(
                board, started_s=board.started_s + paused_s, block_began_s=board.block_began_s + paused_s
            )
        case _:
            return board


def begin_block(board: Board, block: int, jobs: int) -> Board:
    """Return the board at the start of a block with this number of jobs."""
    took = (board.now_s - board.block_began_s,) if board.block and not board.has_restored_jobs else ()
    return dataclasses.replace(
        board,
        block=block,
        block_began_s=board.now_s,
        jobs_in_block=jobs,
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
    spec = board.plan.spec
    return dataclasses.replace(
        board,
        groups=group_results(
            last_attempts(board.records), board.plan.cells, spec.baseline, spec.margin, compared=spec.pairs
        ),
    )


def estimate_remaining_looks(groups: Sequence[Group], board: Board) -> Forecast | None:
    """Forecast the blocks after which every group may be precise enough; None if too little is known."""
    of_cell: dict[str, list[JobRecord]] = {}
    for record in board.records:
        of_cell.setdefault(record.spec.cell.id, []).append(record)
    looks = []
    for group in groups:
        labels = [standing.cell for standing in group.standings]
        scores = {label: score_records(of_cell[group.result(label).cell.id]) for label in labels}
        if group.baseline in scores and len(scores) > 1:
            target = board.plan.spec.stop.precision
            looks.append(forecast_looks(scores, group.baseline, target, pairs=len(group.comparisons)))
    known = [look for look in looks if look is not None]
    return combine_forecasts(known) if known and len(known) == len(looks) else None
