"""The start of a job's process: forked from a template, or in a fresh interpreter."""

import sys

from schemas.job import Cell, Start
from schemas.models import ModelSource
from schemas.sweep import SweepSpec

# The first of so many blocks starts fresh. Its processes give the costs of a start: the import, the time and memory
# until the first result, and the footprint of a whole process.
FRESH_INTERVAL = 5

# Jobs that belong to no block, such as profiles, are forked as those of this one are.
FIRST_FORKED_BLOCK = 2

# All jobs of so many blocks are thorough. After them, those of fresh blocks are.
THOROUGH_BLOCKS = 2


def is_fresh_block(block: int) -> bool:
    """Return whether all jobs of a block start fresh; those of block 0 fill caches."""
    return block < 1 or block % FRESH_INTERVAL == 1


def is_thorough_block(block: int) -> bool:
    """Return whether the jobs of a block also measure what hardly differs from process to process."""
    return block <= THOROUGH_BLOCKS or is_fresh_block(block)


def choose_start(spec: SweepSpec, cell: Cell, model: ModelSource | None, block: int) -> Start:
    """Choose how the process of a job starts; `model` is the user's model that it runs, if any.

    A GPU's driver must not be in use when a process forks, and a forked process shares memory with its template, which
    neither a limit nor a metric of memory would see. A job inside a user's test imports what the test does, in its
    order.
    """
    wants_fresh = spec.start == "fresh" or spec.rank_by != "time"
    is_in_test = model is not None and model.test is not None
    must_start_fresh = cell.device != "cpu" or spec.limits.memory is not None or is_in_test
    can_fork = sys.platform == "linux"  # only there does the kernel hand a forked process to the orchestrator
    return "template" if can_fork and not (wants_fresh or must_start_fresh or is_fresh_block(block)) else "fresh"
