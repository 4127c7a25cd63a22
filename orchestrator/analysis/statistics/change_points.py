"""Change points of a series of independent values: steps of its level, found by ranks with a stated false-alarm rate.

Two scans look for a step. One compares all values before a point with all values after it, for every point. Its score
is the least rank-sum p (a maximally selected rank statistic: Pettitt 1979, Applied Statistics 28; Lausen and Schumacher
1992, Biometrics 48). The other compares each inner stretch with the rest, since a slowdown that was repaired hides from
the first (circular binary segmentation: Olshen et al. 2004, Biostatistics 5).

A search of all places makes a small p common. So each score is compared with its scores in random orders of the same
values. That p is exact if all orders are equally likely without a step, whatever the distribution of the values
(Barnard 1963; Phipson and Smyth 2010).

Parts between steps are searched in turn (binary segmentation: Scott and Knott 1974). A part gets its share of the level
by its length, so that the parts of one series make a false alarm with at most the level of the series.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from orchestrator.analysis.statistics.intervals import Floats

Ranks: TypeAlias = tuple[int, ...]
Sums: TypeAlias = npt.NDArray[np.int64]

# Values on each side of a step. One odd value, or two, are an odd day and no step.
LEAST_SIDE: Final = 3

# Random orders behind each p. The least p is one in one more than this.
ORDERS: Final = 9_999
SEED: Final = 1
CHUNK: Final = 1_000

# Shares of the level for the two scans. A step that lasts is the common case, and is to be found as soon as possible.
STEP_SHARE: Final = 0.8
STRETCH_SHARE: Final = 1 - STEP_SHARE

# Series longer than this are scored by the normal approximation of the rank sum. Random orders calibrate either score.
LARGEST_EXACT: Final = 60

# Scores that are equal but for rounding.
TOLERANCE: Final = 1e-9


@dataclass(frozen=True, slots=True, order=True)
class ChangePoint:
    """A step of the level: the index of the first value after it, and the p of the search that found it."""

    index: int
    p: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """The most likely steps of a series, by the indices of the first values after them, with the p of their scan."""

    indices: tuple[int, ...]
    p: float


def find_change_points(values: Sequence[float], level: float) -> tuple[ChangePoint, ...]:
    """Find the steps of a series, in their order. Without any step, one is found with a chance of at most `level`."""
    return tuple(sorted(_search_part(np.asarray(values, dtype=np.float64), 0, level / max(1, len(values)))))


def count_values_needed(level: float) -> int | None:
    """Return how many values a step needs to be found at this level; None if no number of them is enough.

    A clean step in the middle of so many values is found.
    """
    if level * STEP_SHARE * (ORDERS + 1) < 1:
        return None
    count = 2 * LEAST_SIDE
    while find_candidate(range(count)).p > level:
        count += 1
    return count


def find_candidate(values: Sequence[float] | Floats) -> Candidate:
    """Find the most likely step of a series, or the two ends of its most unusual stretch. Too few values have p = 1."""
    series = np.asarray(values, dtype=np.float64)
    if series.size < 2 * LEAST_SIDE:
        return Candidate((), 1.0)
    ranks = rank_doubled(series)
    scan, null = Scan(tuple(sorted(ranks.tolist()))), _draw_null(tuple(sorted(ranks.tolist())))
    sums = sum_ranks(ranks[np.newaxis])
    step, stretch = scan.locate_step(sums), scan.locate_stretch(sums)
    found = [
        Candidate(indices, _compare_with_null(score, scores) / share)
        for (score, indices), scores, share in zip((step, stretch), null, (STEP_SHARE, STRETCH_SHARE), strict=True)
    ]
    best = min(found, key=lambda each: each.p)
    return Candidate(best.indices, min(1.0, best.p))


def rank_doubled(values: Floats) -> Sums:
    """Return twice the rank of each value; ties share their mid-rank."""
    _, which, tied = np.unique(values, return_inverse=True, return_counts=True)
    doubled: Sums = (2 * np.cumsum(tied) - tied + 1)[which]
    return doubled


def sum_ranks(ranks: Sums) -> Sums:
    """Return the sums of the first 0, 1, ... ranks of each row."""
    sums: Sums = np.pad(np.cumsum(ranks, axis=1), ((0, 0), (1, 0)))
    return sums


def _search_part(values: Floats, start: int, level_per_value: float) -> Iterator[ChangePoint]:
    found = find_candidate(values)
    if not found.indices or found.p > level_per_value * values.size:
        return
    edges = (0, *found.indices, values.size)
    for index in found.indices:
        yield ChangePoint(start + index, found.p)
    for first, last in itertools.pairwise(edges):
        yield from _search_part(values[first:last], start + first, level_per_value)


class Scan:
    """The scores of a series with these doubled ranks: the greater, the less likely is the sum of some in a row."""

    def __init__(self, ranks: Ranks) -> None:
        self.size = len(ranks)
        self._table = _score_sums(ranks) if self.size <= LARGEST_EXACT else None
        self._mean = sum(ranks) / self.size
        self._variance = float(np.var(ranks, ddof=1)) / self.size

    def score_sums(self, length: int, sums: Sums) -> Floats:
        """Return the scores of sums of so many ranks."""
        if self._table is not None:
            scores: Floats = self._table[length][sums]
            return scores
        deviation = math.sqrt(max(self._variance * length * (self.size - length), TOLERANCE))
        scaled: Floats = np.abs(sums - length * self._mean) / deviation
        return scaled

    def score_steps(self, sums: Sums) -> Iterator[tuple[int, Floats]]:
        """Yield each possible step with the score of each row."""
        for index in range(LEAST_SIDE, self.size - LEAST_SIDE + 1):
            yield index, self.score_sums(index, sums[:, index])

    def score_stretches(self, sums: Sums) -> Iterator[tuple[int, Floats]]:
        """Yield each possible length of an inner stretch with the best score of each row."""
        for length in range(LEAST_SIDE, self.size - 2 * LEAST_SIDE + 1):
            each = self._sum_stretches(sums, length)
            # On either side of its mean, a sum is the less likely the further away it is.
            above, below = (self.score_sums(length, ends) for ends in (each.max(axis=1), each.min(axis=1)))
            yield length, np.maximum(above, below)

    def _sum_stretches(self, sums: Sums, length: int) -> Sums:
        last = self.size - LEAST_SIDE
        return sums[:, LEAST_SIDE + length : last + 1] - sums[:, LEAST_SIDE : last + 1 - length]

    def locate_step(self, sums: Sums) -> tuple[float, tuple[int, ...]]:
        """Return the best score of the only row, and its step."""
        score, index = max((float(scores[0]), -index) for index, scores in self.score_steps(sums))
        return score, (-index,)

    def locate_stretch(self, sums: Sums) -> tuple[float, tuple[int, ...]]:
        """Return the best score of the only row, and both ends of its stretch; no end if the row is too short."""
        found = max(((float(scores[0]), -length) for length, scores in self.score_stretches(sums)), default=None)
        if found is None:
            return -math.inf, ()
        length = -found[1]
        scores = self.score_sums(length, self._sum_stretches(sums, length)[0])
        first = LEAST_SIDE + int(np.argmax(scores))
        return found[0], (first, first + length)


@lru_cache(maxsize=32)
def _score_sums(ranks: Ranks) -> Floats:
    """Return -log p of each sum of each number of ranks drawn at random: the exact law, two-sided."""
    ways = np.zeros((len(ranks) + 1, sum(ranks) + 1))
    ways[0, 0] = 1
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, :-rank].copy()
    law = ways / ways.sum(axis=1, keepdims=True)
    below, above = np.cumsum(law, axis=1), np.cumsum(law[:, ::-1], axis=1)[:, ::-1]
    scores: Floats = -np.log(np.clip(2 * np.minimum(below, above), np.finfo(np.float64).tiny, 1.0))
    # The cached array is shared, so a caller that wrote to it would change later results.
    scores.setflags(write=False)
    return scores


@lru_cache(maxsize=512)
def _draw_null(ranks: Ranks) -> tuple[Floats, Floats]:
    """Return the scores of both scans in random orders of these ranks, ascending; -inf if there is nothing to scan."""
    rng, scan, drawn = np.random.default_rng(SEED), Scan(ranks), (list[Floats](), list[Floats]())
    for first in range(0, ORDERS, CHUNK):
        rows = np.tile(np.asarray(ranks), (min(CHUNK, ORDERS - first), 1))
        sums = sum_ranks(rng.permuted(rows, axis=1))
        for scores, scanned in zip(drawn, (scan.score_steps(sums), scan.score_stretches(sums)), strict=True):
            best = np.full(len(rows), -math.inf)
            for _, each in scanned:
                np.maximum(best, each, out=best)
            scores.append(best)
    steps, stretches = (np.sort(np.concatenate(scores)) for scores in drawn)
    return steps, stretches


def _compare_with_null(score: float, null: Floats) -> float:
    """Return the share of orders, this one included, whose score is as great."""
    reached = ORDERS - int(np.searchsorted(null, score - TOLERANCE, side="left"))
    return (1 + reached) / (ORDERS + 1)
