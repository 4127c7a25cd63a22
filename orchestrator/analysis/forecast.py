"""Forecast of the number of blocks after which a sweep will be precise enough. Pure.

The number of blocks grows with the square of the scatter, which few blocks estimate badly. In eight cases of ten, the
true scatter is between two thirds and three times that of three blocks. A forecast therefore has a range as well.
"""

import math
import statistics
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from orchestrator.analysis.compare import Scores
from orchestrator.analysis.statistics.looks import ALPHA, LOOKS, blocks_needed, list_looks

# With fewer blocks than this there is no forecast.
FEWEST_BLOCKS = 3

# The chance that the true scatter lies below the range, and likewise above it.
TAIL_CHANCE = 0.1

# The true mean lies within this many standard errors in two cases of three, and so does the range of a verdict.
SHIFT_ERRORS = 1.0

# A number of blocks beyond any that a run may have.
NOT_FORESEEN = 10**9


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
    scores: Mapping[str, Scores], baseline: str, target: float, *, pairs: int | None = None, ranked: int = 0
) -> Forecast | None:
    """Forecast the look at which every ratio to the baseline is within `target` of its estimate, with unchanged noise.

    `pairs` is the number of pairs that are compared as one family; None: all. `ranked` is the number on which ranks
    rest, if that is larger. Returns the last look if none is precise enough, and None with too few blocks.
    """
    ratios = [list_log_ratios(scores[baseline], other) for label, other in scores.items() if label != baseline]
    if not ratios or min(map(len, ratios)) < FEWEST_BLOCKS:
        return None
    # The noisiest pair decides, because a sweep stops only when all ratios are precise.
    spread, done = max(map(statistics.stdev, ratios)), max(map(len, ratios))
    compared = math.comb(len(scores), 2) if pairs is None else pairs
    looks, least = list_looks(max(compared, ranked)), blocks_needed(compared)

    def find_look(scatter: float) -> int:
        fitting = (look for look in looks if look >= max(done, least) and expected_half_width(scatter, look) <= target)
        return next(fitting, LOOKS[-1])

    low, high = bound_spread(spread, min(map(len, ratios)))
    return Forecast(find_look(low), find_look(spread), find_look(high))


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The pairs that are tested together: their number, the level, and the margin on the log scale."""

    pairs: int
    alpha: float
    margin: float

    @property
    def least_blocks(self) -> int:
        """The blocks without which no pair can have a claim."""
        return blocks_needed(self.pairs, self.alpha)

    def expects_verdict(self, shift: float, spread: float, blocks: int) -> bool:
        """Return True if a pair with this log ratio and scatter is expected to have a verdict after these blocks."""
        if abs(shift) + expected_half_width(spread, blocks, self.alpha) < self.margin:
            return True
        # Bonferroni stands in for Holm, which is never stricter.
        half_width = expected_half_width(spread, blocks, self.alpha / self.pairs)
        return blocks >= self.least_blocks and half_width < abs(shift)


def forecast_verdict(ratios: Sequence[float], family: Family, candidates: Sequence[int]) -> Forecast | None:
    """Forecast which of these increasing numbers of blocks is the first after which a pair has its verdict.

    `ratios` are its log ratios so far, whose mean and scatter are both uncertain. A number that is not reached is
    `NOT_FORESEEN`. Returns None with too few blocks.
    """
    if len(ratios) < FEWEST_BLOCKS:
        return None
    shift, spread = statistics.fmean(ratios), statistics.stdev(ratios)
    error = SHIFT_ERRORS * spread / math.sqrt(len(ratios))

    def find_first(true: float, scatter: float) -> int:
        # More blocks never cost an expected verdict.
        place = bisect_left(candidates, True, key=partial(family.expects_verdict, true, scatter))
        return candidates[place] if place < len(candidates) else NOT_FORESEEN

    found = [
        find_first(true, scatter)
        for true in (shift, shift - error, shift + error)
        for scatter in (spread, *bound_spread(spread, len(ratios)))
    ]
    return Forecast(min(found), found[0], max(found))


def bound_spread(spread: float, blocks: int) -> tuple[float, float]:
    """Return the range of the true scatter in eight cases of ten, from that of this many blocks."""
    from scipy.special import chdtri

    freedom = blocks - 1
    low, high = (
        spread * math.sqrt(freedom / float(chdtri(freedom, beyond))) for beyond in (TAIL_CHANCE, 1 - TAIL_CHANCE)
    )
    return low, high


def list_log_ratios(baseline: Scores, cell: Scores) -> Sequence[float]:
    """Return the log ratios of two cells' floors, block by block."""
    shared = baseline.floor.keys() & cell.floor.keys()
    return [cell.floor[block] - baseline.floor[block] for block in sorted(shared)]


def expected_half_width(spread: float, blocks: int, alpha: float = ALPHA) -> float:
    """Return the half-width expected for a mean over this many blocks, given the scatter of the differences."""
    from scipy.special import stdtrit

    # Student's interval stands in for the interval of ranks, which resembles it.
    return float(stdtrit(blocks - 1, 1 - alpha / 2)) * spread / math.sqrt(blocks)
