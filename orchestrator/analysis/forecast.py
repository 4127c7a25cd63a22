"""After how many blocks a sweep will be precise enough, as far as the blocks so far tell. Pure.

The number of blocks goes with the square of a scatter that few blocks know badly: of what three blocks show, the true
one is between two thirds and three times as much in eight cases of ten. So besides what is likely there is a range.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.analysis.compare import Scores
from orchestrator.analysis.statistics import ALPHA, LOOKS, blocks_needed

FEWEST = 3
"""From fewer blocks than these nothing is foretold."""
BEYOND = 0.1
"""So seldom the true scatter lies below the range, and as seldom above it."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Looks, as numbers of blocks: one is likely to be the last, and in nine sweeps of ten it lies in the range."""

    soonest: int
    likely: int
    latest: int


def together(forecasts: Iterable[Forecast]) -> Forecast:
    """When the last of several will be there; there must be one."""
    every = list(forecasts)
    return Forecast(
        max(each.soonest for each in every), max(each.likely for each in every), max(each.latest for each in every)
    )


def looks_until_precise(scores: Mapping[str, Scores], baseline: str, target: float) -> Forecast | None:
    """The looks at which every ratio to the baseline may be within `target` of its estimate, if noise stays as it is.

    The interval of ranks is foretold by Student's, which it resembles; the last look if none is enough, and None where
    too few blocks are there.
    """
    from scipy.special import chdtri

    pairs = [differences(scores[baseline], other) for label, other in scores.items() if label != baseline]
    if not pairs or min(map(len, pairs)) < FEWEST:
        return None
    spread, done = max(map(statistics.stdev, pairs)), max(map(len, pairs))
    least = blocks_needed(math.comb(len(scores), 2))

    def look_for(scatter: float) -> int:
        fitting = (look for look in LOOKS if look >= max(done, least) and half_width(scatter, look) <= target)
        return next(fitting, LOOKS[-1])

    freedom = min(map(len, pairs)) - 1
    low, high = (spread * math.sqrt(freedom / float(chdtri(freedom, beyond))) for beyond in (BEYOND, 1 - BEYOND))
    return Forecast(look_for(low), look_for(spread), look_for(high))


def differences(baseline: Scores, cell: Scores) -> Sequence[float]:
    """Log ratios of two cells' floors, block by block."""
    shared = baseline.floor.keys() & cell.floor.keys()
    return [cell.floor[block] - baseline.floor[block] for block in sorted(shared)]


def half_width(spread: float, blocks: int) -> float:
    """Of a mean of so many differences that scatter so much."""
    from scipy.special import stdtrit

    return float(stdtrit(blocks - 1, 1 - ALPHA / 2)) * spread / math.sqrt(blocks)
