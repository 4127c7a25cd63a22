"""Comparison of two runs, cell by cell: the change from the first to the second, and its confidence.

If the jobs of both alternated, ratios are taken block by block, as within a run. Otherwise the processes of both are
independent samples, compared by ranks, and the intervals allow for the effect of the runs on all cells.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from orchestrator.analysis.compare import MARGIN, Scores, Verdict, verdict_of
from orchestrator.analysis.drift import FEWEST_OTHERS, Estimate, allowed_for
from orchestrator.analysis.pairing import Sampling, difference, told, unlike
from orchestrator.analysis.results import Result
from orchestrator.analysis.statistics import ALPHA, Interval, hodges_lehmann, holm, signed_rank_p
from orchestrator.analysis.two_samples import rank_sum_p, shift
from schemas.job import Cell
from schemas.sweep import MemoryMetric

# The basis of a comparison. `at face value`: not side by side, and without allowing for the effect of the runs.
Ground = Literal["side by side", "one after the other", "at face value", "on different machines"]

Logs: TypeAlias = Mapping[int, float]
Both: TypeAlias = tuple[Logs, Logs]

NOTHING: Final = Interval(math.nan, -math.inf, math.inf)
LONELY = f"a change cannot be distinguished from an effect of the runs without at least {FEWEST_OTHERS} other cells"
ELSEWHERE = "a change cannot be distinguished from an effect of the machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The data of one cell in one run, by block: logarithms of seconds in `scores`, of bytes in `memory`.

    `computed` holds hashes of its weights and inputs, `versions` the software on which it runs.
    """

    result: Result
    scores: Scores
    memory: Mapping[MemoryMetric, Logs]
    computed: frozenset[str]
    versions: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One cell in the first run and in the second. Side by side, blocks of equal number form a pair.

    A `control` has not changed itself: any shift it shows is an effect of the runs.
    """

    cell: Cell
    before: Side
    after: Side
    control: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """The second run over the first: as observed in the processes of these two runs, and as it may be claimed."""

    observed: Interval
    claimed: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The change of one cell. Without a possible claim there is no verdict, and `reason` explains it."""

    cell: Cell
    before: Result
    after: Result
    time: Ratio
    memory: Mapping[MemoryMetric, Ratio]
    p: float
    verdict: Verdict | None
    reason: str


def changes(pairs: Sequence[Pair], ground: Ground, margin: float = MARGIN, alpha: float = ALPHA) -> tuple[Change, ...]:
    """Find the changes of these cells, tested as one family (Holm); some may not be comparable."""
    why = [refusal(pair, ground) for pair in pairs]
    found = iter(compared([pair for pair, reason in zip(pairs, why, strict=True) if not reason], ground, margin, alpha))
    return tuple(next(found) if not reason else refused(pair, reason) for pair, reason in zip(pairs, why, strict=True))


def refusal(pair: Pair, ground: Ground) -> str:
    """Return the reason why nothing of a cell can be compared; empty if something can."""
    before, after = pair.before, pair.after
    if before.computed != after.computed:
        return "its weights and inputs differ between the two runs"
    if not before.scores.floor or not after.scores.floor:
        return "one of the runs has no process of it that counts"
    if ground == "side by side":
        shared = before.scores.floor.keys() & after.scores.floor.keys()
        return "" if shared.difference(left_out(pair, ground)) else "the two runs share no block of it"
    kinds: tuple[set[Sampling], ...] = ({*before.scores.sampling.values()}, {*after.scores.sampling.values()})
    return next(filter(None, (difference(one, other) for one in kinds[0] for other in kinds[1])), "")


def left_out(pair: Pair, ground: Ground) -> Mapping[int, str]:
    """Return the blocks in which both were measured but must not be compared, with the reason."""
    return unlike(pair.before.scores.sampling, pair.after.scores.sampling) if ground == "side by side" else {}


def refused(pair: Pair, reason: str) -> Change:
    """Return the change of a cell that cannot be compared."""
    nothing = Ratio(observed=NOTHING, claimed=NOTHING)
    return Change(
        cell=pair.cell,
        before=pair.before.result,
        after=pair.after.result,
        time=nothing,
        memory={},
        p=math.nan,
        verdict=None,
        reason=reason,
    )


def compared(pairs: Sequence[Pair], ground: Ground, margin: float, alpha: float) -> list[Change]:
    """Return the changes of cells that can be compared."""
    out = [left_out(pair, ground) for pair in pairs]
    pairs = [without(pair, blocks) for pair, blocks in zip(pairs, out, strict=True)]
    observed = [estimate((pair.before.scores.floor, pair.after.scores.floor), ground, alpha) for pair in pairs]
    claimed = claims(pairs, observed, ground, alpha)
    passed = holm([each.p for each in claimed], alpha)
    memory, why = of_memory(pairs, ground, alpha), unclaimable(len(pairs), ground)
    return [
        Change(
            cell=pair.cell,
            before=pair.before.result,
            after=pair.after.result,
            time=ratio(here, beyond),
            memory=bytes_,
            p=beyond.p,
            verdict=None if why else verdict(pair, beyond, ground, margin, alpha, significant=significant),
            reason=why or told(blocks),
        )
        for pair, blocks, here, beyond, significant, bytes_ in zip(
            pairs, out, observed, claimed, passed, memory, strict=True
        )
    ]


def without(pair: Pair, blocks: Collection[int]) -> Pair:
    """Return a pair without the times of these blocks."""
    before, after = (
        replace(
            side,
            scores=replace(
                side.scores,
                floor={block: log for block, log in side.scores.floor.items() if block not in blocks},
                typical={block: log for block, log in side.scores.typical.items() if block not in blocks},
            ),
        )
        for side in (pair.before, pair.after)
    )
    return replace(pair, before=before, after=after)


def verdict(
    pair: Pair, claimed: Estimate, ground: Ground, margin: float, alpha: float, *, significant: bool
) -> Verdict:
    """Decide the verdict on the second run's cell, with the first's as baseline."""
    typical = estimate((pair.before.scores.typical, pair.after.scores.typical), ground, alpha)
    return verdict_of(
        claimed.interval,
        typical.interval,
        significant=significant,
        margin=math.log1p(margin),
        barred="C" in (pair.before.result.grade, pair.after.result.grade),
    )


def of_memory(pairs: Sequence[Pair], ground: Ground, alpha: float) -> list[dict[MemoryMetric, Ratio]]:
    """Compare the memory metrics of each cell that both runs have."""
    found: list[dict[MemoryMetric, Ratio]] = [{} for _ in pairs]
    for metric in dict.fromkeys(metric for pair in pairs for metric in pair.before.memory):
        having = [
            index
            for index, pair in enumerate(pairs)
            if pair.before.memory.get(metric) and pair.after.memory.get(metric)
        ]
        observed = [
            estimate((pairs[i].before.memory[metric], pairs[i].after.memory[metric]), ground, alpha) for i in having
        ]
        claimed = claims([pairs[index] for index in having], observed, ground, alpha)
        for index, one, other in zip(having, observed, claimed, strict=True):
            found[index][metric] = ratio(one, other)
    return found


def estimate(both: Both, ground: Ground, alpha: float) -> Estimate:
    """Estimate one cell's log ratio from the processes of two runs, without allowing for the effect of the runs."""
    before, after = both
    if ground == "side by side":
        differences = [after[block] - before[block] for block in sorted(before.keys() & after.keys())]
        return Estimate(hodges_lehmann(differences, alpha), signed_rank_p(differences))
    one, other = [*before.values()], [*after.values()]
    return Estimate(shift(one, other, alpha), rank_sum_p(one, other))


def ratio(observed: Estimate, claimed: Estimate) -> Ratio:
    """Return both intervals on the ratio scale."""
    return Ratio(observed=observed.interval.exp(), claimed=claimed.interval.exp())


def unclaimable(cells: int, ground: Ground) -> str:
    """Return the reason why no claim is possible with this number of cells; empty if one is."""
    if ground == "on different machines":
        return ELSEWHERE
    return LONELY if ground == "one after the other" and cells <= FEWEST_OTHERS else ""


def claims(pairs: Sequence[Pair], observed: Sequence[Estimate], ground: Ground, alpha: float) -> list[Estimate]:
    """Reduce what was observed to what may be claimed; an unbounded interval if no claim is possible."""
    if ground in ("side by side", "at face value"):
        return list(observed)
    if unclaimable(len(observed), ground):
        return [Estimate(NOTHING, 1.0)] * len(observed)
    return allowed_for(observed, {index for index, pair in enumerate(pairs) if pair.control}, alpha)
