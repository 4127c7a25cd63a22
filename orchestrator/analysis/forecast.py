"""Forecast of the number of blocks after which a sweep will be precise enough. Pure.

The number of blocks grows with the square of the scatter, which few blocks estimate badly. In eight cases of ten, the
true scatter is between two thirds and three times that of three blocks. A forecast therefore has a range as well.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.analysis.compare import Scores
from orchestrator.analysis.statistics.looks import ALPHA, LOOKS, blocks_needed

# With fewer blocks than this there is no forecast.
FEWEST_BLOCKS = 3

# The chance that the true scatter lies below the range, and likewise above it.
TAIL_CHANCE = 0.1


@dataclass(frozen=True, slots=True)
class Forecast:
    """Looks, as numbers of blocks: the likely last one, and a range that contains it in nine sweeps of ten."""

    soonest: int
    likely: int
    latest: int


def combine_forecasts(forecasts: Iterable[Forecast]) -> Forecast:
    """Combine at least one forecast into that of the last to finish."""
    every = list(forecasts)
    return Forecast(
        max(each.soonest for each in every), max(each.likely for each in every), max(each.latest for each in every)
    )


def forecast_looks(
    scores: Mapping[str, Scores], baseline: str, target: float, *, pairs: int | None = None
) -> Forecast | None:
    """Forecast the look at which every ratio to the baseline is within `target` of its estimate, with unchanged noise.

    `pairs` is the number of pairs that are compared as one family; None: all. Returns the last look if none is precise
    enough, and None with too few blocks.
    """
    from scipy.special import chdtri

    ratios = [list_log_ratios(scores[baseline], other) for label, other in scores.items() if label != baseline]
    if not ratios or min(map(len, ratios)) < FEWEST_BLOCKS:
        return None
    # The noisiest pair decides, because a sweep stops only when all ratios are precise.
    spread, done = max(map(statistics.stdev, ratios)), max(map(len, ratios))
    least = blocks_needed(math.comb(len(scores), 2) if pairs is None else pairs)

    def find_look(scatter: float) -> int:
        fitting = (look for look in LOOKS if look >= max(done, least) and expected_half_width(scatter, look) <= target)
        return next(fitting, LOOKS[-1])

    freedom = min(map(len, ratios)) - 1
    low, high = (
        spread * math.sqrt(freedom / float(chdtri(freedom, beyond))) for beyond in (TAIL_CHANCE, 1 - TAIL_CHANCE)
    )
    return Forecast(find_look(low), find_look(spread), find_look(high))


def list_log_ratios(baseline: Scores, cell: Scores) -> Sequence[float]:
    """Return the log ratios of two cells' floors, block by block."""
    shared = baseline.floor.keys() & cell.floor.keys()
    return [cell.floor[block] - baseline.floor[block] for block in sorted(shared)]


def expected_half_width(spread: float, blocks: int) -> float:
    """Return the half-width expected for a mean over this many blocks, given the scatter of the differences."""
    from scipy.special import stdtrit

    # Student's interval stands in for the interval of ranks, which resembles it.
    return float(stdtrit(blocks - 1, 1 - ALPHA / 2)) * spread / math.sqrt(blocks)
