"""What is known of a sweep in progress: a fold over its events. Pure: nothing is drawn here, and no clock is read."""

import dataclasses
from dataclasses import dataclass

from orchestrator.analysis.results import Group, groups
from orchestrator.plan import Plan
from orchestrator.sweep import BlockStarted, JobEnded, JobKept, JobSaid, JobStarted, SweepEvent
from schemas.event import Phase, PhaseName
from schemas.job import JobSpec
from schemas.record import JobRecord

FEW = 2
"""In so many first blocks the results are worked out after each job, later after each block: it costs ever more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One moment of a sweep. Times in seconds; `block_s` is what a whole block took, or is expected to take."""

    plan: Plan
    started_s: float
    now_s: float
    block_s: float
    block: int = 0
    block_began_s: float = 0.0
    jobs_in_block: int = 0
    recalled: bool = False
    """Whether jobs of this block were kept from before: then the time that it takes now says nothing."""
    running: JobSpec | None = None
    phase: PhaseName | None = None
    records: tuple[JobRecord, ...] = ()
    groups: tuple[Group, ...] = ()

    @property
    def expected_blocks(self) -> int:
        """How many blocks fit the budget, at least the one that runs and at most those that are allowed."""
        stop = self.plan.spec.stop
        return max(1, self.block, min(stop.blocks, int(stop.budget / self.block_s)))

    @property
    def jobs_done(self) -> int:
        """Jobs that were started and have ended."""
        return sum(record.outside is not None for record in self.records)

    @property
    def jobs_expected(self) -> int:
        """Jobs done, left in this block, and in the blocks to come."""
        done_here = sum(record.spec.block == self.block and record.outside is not None for record in self.records)
        left = self.jobs_in_block - done_here if self.block else len(self.plan.runnable)
        per_block = self.jobs_in_block or len(self.plan.runnable)
        return self.jobs_done + left + per_block * (self.expected_blocks - max(1, self.block))

    @property
    def seconds_left(self) -> float:
        """Until the last block that fits the budget has ended."""
        spent_here = self.now_s - self.block_began_s if self.block else 0.0
        return max(0.0, self.block_s * (self.expected_blocks - max(1, self.block) + 1) - spent_here)


def fold(board: Board, event: SweepEvent, now_s: float) -> Board:
    """The board after one more event."""
    board = dataclasses.replace(board, now_s=now_s)
    match event:
        case BlockStarted(block, order):
            known = board.block and not board.recalled
            return dataclasses.replace(
                board, block=block, block_began_s=now_s, jobs_in_block=len(order), recalled=False,
                block_s=now_s - board.block_began_s if known else board.block_s,
            )  # fmt: skip
        case JobStarted(spec):
            return dataclasses.replace(board, running=spec, phase=None)
        case JobSaid(Phase(name=name)):
            return dataclasses.replace(board, phase=name)
        case JobEnded(record) | JobKept(record):
            board = dataclasses.replace(board, recalled=board.recalled or isinstance(event, JobKept))
            records = (*board.records, record)
            ended = sum(each.spec.block == board.block and each.outside is not None for each in records)
            if board.block > FEW and ended < board.jobs_in_block:
                return dataclasses.replace(board, records=records, running=None, phase=None)
            results = groups(records, board.plan.cells, board.plan.spec.baseline, board.plan.spec.margin)
            return dataclasses.replace(board, records=records, running=None, phase=None, groups=results)
        case _:
            return board
