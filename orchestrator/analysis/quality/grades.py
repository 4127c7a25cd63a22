"""The grade of a cell, from the disturbances of its processes. Pure."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from orchestrator.analysis.derivation.disturbance import FEWEST_UNDISTURBED, Flag

# The strongest acceptable rank correlation of times with their order.
DRIFT_LIMIT = 0.5

Grade = Literal["A", "B", "C"]


def is_drifting(floors: Sequence[float]) -> bool:
    """Return True if a cell's times follow the order in which they were taken (Spearman's rank correlation)."""
    # With few processes, a correlation with their order arises by chance.
    if len(set(floors)) < FEWEST_UNDISTURBED:
        return False
    count, ranks = len(floors), np.argsort(np.argsort(floors))
    # Of two orders without ties, it is 1 - 6 S / (n^3 - n), with S the sum of the squared differences of ranks.
    squares, scale = int(np.square(ranks - np.arange(count)).sum()), count**3 - count
    return abs(scale - 6 * squares) > DRIFT_LIMIT * scale


def grade_cell(per_process: Sequence[frozenset[Flag]], *, drift: bool) -> Grade:
    """Return the grade of a cell from the flags of its processes. It informs, and takes no claim away.

    A: at most one process in five was flagged. C: more than half were, or a quota stopped one. B: anything between.
    """
    # The canary and drift describe the machine as a whole, so they can lower A to B and no further.
    hard = [flagged - {Flag.CANARY} for flagged in per_process]
    share = sum(map(bool, hard)) / max(1, len(hard))
    if share > 0.5 or any(Flag.THROTTLED in flagged for flagged in hard):
        return "C"
    soft = sum(Flag.CANARY in flagged for flagged in per_process) > 0.5 * len(per_process)
    return "B" if share > 0.2 or soft or drift else "A"
