"""Comparison of two runs, cell by cell: the change from the first to the second, and its confidence.

If the jobs of both alternated, ratios are taken block by block, as within a run. Otherwise the processes of both are
independent samples, compared by ranks, and the intervals allow for the effect of the runs on all cells. What may be
claimed also has room for all that disturbances of the processes can have cost.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, TypeAlias

from orchestrator.analysis.compare import (
    MARGIN,
    Scores,
    Verdict,
    count_common_samples,
    decide_verdict,
    estimate_paired_ratio,
    pair_floors,
)
from orchestrator.analysis.quality.comparability import (
    Sampling,
    explain_difference,
    find_unlike_blocks,
    format_left_out_blocks,
)
from orchestrator.analysis.results import Result
from orchestrator.analysis.statistics.intervals import NO_INTERVAL, Interval, reject_by_holm
from orchestrator.analysis.statistics.looks import ALPHA
from orchestrator.analysis.statistics.rank_sum import hodges_lehmann_shift, rank_sum_p
from orchestrator.analysis.undisturbed import Floors, Logs, RatioEstimate, bound_ratio
from orchestrator.comparison.run_effects import allow_for_run_effects
from schemas.job import Cell
from schemas.sweep import MemoryMetric

# The basis of a comparison. `at face value`: not side by side, and without allowing for the effect of the runs.
Ground = Literal["side by side", "one after the other", "at face value", "on different machines"]

BothLogs: TypeAlias = tuple[Logs, Logs]

OTHER_MACHINE = "a change cannot be distinguished from an effect of the machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSide:
    """The data of one cell in one run, by block: logarithms of seconds in `scores`, of bytes in `memory`.

    `computed` holds hashes of its weights and inputs, `seeds` those that they were drawn with, `versions` the software
    on which it runs, and `builds` the kinds of build of its framework: CPU, CUDA or ROCm.
    """

    result: Result
    scores: Scores
    memory: Mapping[MemoryMetric, Logs]
    computed: frozenset[str]
    versions: frozenset[tuple[str, str]]
    builds: frozenset[str] = frozenset()
    seeds: frozenset[int] = frozenset()
    is_uneven: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPair:
    """One cell in the first run and in the second. Side by side, blocks of equal number form a pair.

    A `control` has not changed itself: any shift it shows is an effect of the runs.
    """

    cell: Cell
    before: CellSide
    after: CellSide
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


def find_changes(
    pairs: Sequence[CellPair],
    ground: Ground,
    margin: float = MARGIN,
    alpha: float = ALPHA,
    witnesses: Sequence[float] = (),
) -> tuple[Change, ...]:
    """Find the changes of these cells, tested as one family (Holm); some may not be comparable.

    `witnesses` are log ratios of times that only the runs can have changed.
    """
    refusals = [explain_refusal(pair, ground) for pair in pairs]
    comparable = [pair for pair, refusal in zip(pairs, refusals, strict=True) if not refusal]
    found = iter(compare_pairs(comparable, ground, margin, alpha, witnesses))
    return tuple(
        make_refused_change(pair, refusal) if refusal else next(found)
        for pair, refusal in zip(pairs, refusals, strict=True)
    )


def explain_refusal(pair: CellPair, ground: Ground) -> str:
    """Return the reason why nothing of a cell can be compared; empty if something can."""
    before, after = pair.before, pair.after
    # With other code, even a correct ratio would compare two different computations. Other seeds alone draw other data
    # for the same one, which matters only where they decide how much work it is.
    if before.computed != after.computed and before.seeds == after.seeds:
        return "its weights and inputs differ between the two runs"
    if before.computed != after.computed and (before.is_uneven or after.is_uneven):
        return "its inputs decide how much work it is, and were drawn by other seeds: give both runs the same --seed"
    if not before.scores.floor or not after.scores.floor:
        return "one of the runs has no process of it that counts"
    if ground == "side by side":
        shared = before.scores.floor.keys() & after.scores.floor.keys()
        return "" if shared.difference(find_left_out_blocks(pair, ground)) else "the two runs share no block of it"
    kinds: tuple[set[Sampling], ...] = ({*before.scores.sampling.values()}, {*after.scores.sampling.values()})
    return next(filter(None, (explain_difference(one, other) for one in kinds[0] for other in kinds[1])), "")


def find_left_out_blocks(pair: CellPair, ground: Ground) -> Mapping[int, str]:
    """Return the blocks in which both were measured but must not be compared, with the reason."""
    return (
        find_unlike_blocks(pair.before.scores.sampling, pair.after.scores.sampling) if ground == "side by side" else {}
    )


def make_refused_change(pair: CellPair, reason: str) -> Change:
    """Return the change of a cell that cannot be compared."""
    nothing = Ratio(observed=NO_INTERVAL, claimed=NO_INTERVAL)
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


def compare_pairs(
    pairs: Sequence[CellPair], ground: Ground, margin: float, alpha: float, witnesses: Sequence[float]
) -> list[Change]:
    """Return the changes of cells that can be compared."""
    left_out = [find_left_out_blocks(pair, ground) for pair in pairs]
    pairs = [drop_blocks(pair, blocks) for pair, blocks in zip(pairs, left_out, strict=True)]
    estimates = [estimate_floor_ratio(pair, ground, alpha) for pair in pairs]
    observed, bounded = ([each[part] for each in estimates] for part in (0, 1))
    claimed = limit_claims(pairs, bounded, ground, alpha, witnesses)
    passed = reject_by_holm([each.p for each in claimed], alpha)
    memory, no_claim = compare_memory(pairs, ground, alpha), explain_no_claim(ground)
    return [
        Change(
            cell=pair.cell,
            before=pair.before.result,
            after=pair.after.result,
            time=make_ratio(ratio, claim),
            memory=memory_ratios,
            p=claim.p,
            verdict=None if no_claim else decide_change(pair, claim, ground, margin, alpha, significant=significant),
            reason=no_claim or format_left_out_blocks(blocks),
        )
        for pair, blocks, ratio, claim, significant, memory_ratios in zip(
            pairs, left_out, observed, claimed, passed, memory, strict=True
        )
    ]


def drop_blocks(pair: CellPair, blocks: Collection[int]) -> CellPair:
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


def decide_change(
    pair: CellPair, claimed: RatioEstimate, ground: Ground, margin: float, alpha: float, *, significant: bool
) -> Verdict:
    """Decide the verdict on the second run's cell, with the first's as baseline."""
    typical = estimate_ratio((pair.before.scores.typical, pair.after.scores.typical), ground, alpha)
    return decide_verdict(claimed.interval, typical.interval, significant=significant, margin=math.log1p(margin))


def compare_memory(pairs: Sequence[CellPair], ground: Ground, alpha: float) -> list[dict[MemoryMetric, Ratio]]:
    """Compare the memory metrics of each cell that both runs have."""
    found: list[dict[MemoryMetric, Ratio]] = [{} for _ in pairs]
    for metric in dict.fromkeys(metric for pair in pairs for metric in pair.before.memory):
        having = [
            index
            for index, pair in enumerate(pairs)
            if pair.before.memory.get(metric) and pair.after.memory.get(metric)
        ]
        observed = [
            estimate_ratio((pairs[i].before.memory[metric], pairs[i].after.memory[metric]), ground, alpha)
            for i in having
        ]
        claimed = limit_claims([pairs[index] for index in having], observed, ground, alpha)
        for index, one, other in zip(having, observed, claimed, strict=True):
            found[index][metric] = make_ratio(one, other)
    return found


def estimate_ratio(both: BothLogs, ground: Ground, alpha: float) -> RatioEstimate:
    """Estimate one cell's log ratio from the processes of two runs, without allowing for the effect of the runs."""
    before, after = both
    if ground == "side by side":
        shared = sorted(before.keys() & after.keys())
        return estimate_paired_ratio(
            [before[block] for block in shared], [after[block] for block in shared], alpha=alpha
        )
    return estimate_shift([*before.values()], [*after.values()], alpha=alpha)


def estimate_shift(before: Sequence[float], after: Sequence[float], *, alpha: float) -> RatioEstimate:
    """Estimate the shift between log times of independent processes."""
    return RatioEstimate(hodges_lehmann_shift(before, after, alpha), rank_sum_p(before, after))


def estimate_floor_ratio(pair: CellPair, ground: Ground, alpha: float) -> tuple[RatioEstimate, RatioEstimate]:
    """Estimate the log ratio of a cell's floors, as measured and with room for disturbances."""
    before, after = pair.before.scores, pair.after.scores
    if ground == "side by side":
        return bound_ratio(*pair_floors(before, after), partial(estimate_paired_ratio, alpha=alpha))
    return bound_ratio(*draw_all_floors(before, after), partial(estimate_shift, alpha=alpha))


def draw_all_floors(before: Scores, after: Scores) -> tuple[Floors, Floors]:
    """Return the floors of all processes of two runs, each of the same number of samples."""
    drawn = count_common_samples(*(scores.samples.get(block) for scores in (before, after) for block in scores.floor))
    # Processes are not paired here, so each is compared with one that has the fewest undisturbed samples.
    left_before, left_after = (min(filter(None, each.undisturbed.values()), default=None) for each in (before, after))
    return (
        before.draw_floors(dict.fromkeys(before.floor, drawn), dict.fromkeys(before.floor, left_after)),
        after.draw_floors(dict.fromkeys(after.floor, drawn), dict.fromkeys(after.floor, left_before)),
    )


def make_ratio(observed: RatioEstimate, claimed: RatioEstimate) -> Ratio:
    """Return both intervals on the ratio scale."""
    return Ratio(observed=observed.interval.exp(), claimed=claimed.interval.exp())


def explain_no_claim(ground: Ground) -> str:
    """Return the reason why no claim is possible; empty if one is."""
    return OTHER_MACHINE if ground == "on different machines" else ""


def limit_claims(
    pairs: Sequence[CellPair],
    observed: Sequence[RatioEstimate],
    ground: Ground,
    alpha: float,
    witnesses: Sequence[float] = (),
) -> list[RatioEstimate]:
    """Reduce what was observed to what may be claimed; an unbounded interval if no claim is possible."""
    if ground in ("side by side", "at face value"):
        return list(observed)
    if explain_no_claim(ground):
        return [RatioEstimate(NO_INTERVAL, 1.0)] * len(observed)
    return allow_for_run_effects(
        observed, {index for index, pair in enumerate(pairs) if pair.control}, alpha, witnesses
    )
