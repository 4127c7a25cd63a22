"""After how many blocks a sweep will be precise enough, as far as the blocks so far tell. Pure."""

import math
import statistics
from collections.abc import Mapping, Sequence

from orchestrator.analysis.compare import Scores
from orchestrator.analysis.statistics import ALPHA, LOOKS, blocks_needed

FEWEST = 3
"""From fewer blocks than these nothing is foretold."""


def looks_until_precise(scores: Mapping[str, Scores], baseline: str, target: float) -> int | None:
    """The look at which every ratio to the baseline will be within `target` of its estimate, if noise stays as it is.

    The interval of ranks is foretold by Student's, which it resembles; the last look if none is enough, and None where
    too few blocks are there.
    """
    pairs = [differences(scores[baseline], other) for label, other in scores.items() if label != baseline]
    if not pairs or min(map(len, pairs)) < FEWEST:
        return None
    spread, done = max(map(statistics.stdev, pairs)), max(map(len, pairs))
    least = blocks_needed(math.comb(len(scores), 2))
    fitting = (look for look in LOOKS if look >= max(done, least) and half_width(spread, look) <= target)
    return next(fitting, LOOKS[-1])


def differences(baseline: Scores, cell: Scores) -> Sequence[float]:
    """Log ratios of two cells' floors, block by block."""
    shared = baseline.floor.keys() & cell.floor.keys()
    return [cell.floor[block] - baseline.floor[block] for block in sorted(shared)]


def half_width(spread: float, blocks: int) -> float:
    """Of a mean of so many differences that scatter so much."""
    from scipy.special import stdtrit

    return float(stdtrit(blocks - 1, 1 - ALPHA / 2)) * spread / math.sqrt(blocks)
