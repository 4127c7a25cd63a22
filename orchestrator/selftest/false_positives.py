"""False positives among identical clones of one cell: how often a sweep would report a difference.

The blocks of a long sweep are cut into experiments as long as a real sweep. Each pair of clones in an experiment is one
trial. Trials of one experiment share processes, so intervals that assume independence are too narrow.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, TypeAlias

from orchestrator.analysis.compare import Comparison, compare_all_pairs
from orchestrator.analysis.process_scores import score_processes
from orchestrator.analysis.statistics.intervals import Interval, clopper_pearson
from orchestrator.analysis.statistics.looks import list_looks
from orchestrator.analysis.stopping import should_stop
from schemas.job import Cell
from schemas.record import JobRecord

EXPERIMENT_BLOCKS: Final = 12
CLONES_IN_SET: Final = 6

# The half-width at which a real sweep stops.
TARGET_HALF_WIDTH: Final = 0.02

# The records of one experiment by cell, in the order of the blocks.
Experiment: TypeAlias = Mapping[str, Sequence[JobRecord]]


@dataclass(frozen=True, slots=True)
class FalsePositiveRate:
    """The number of trials without a true difference, and the claims that were made in them."""

    trial: str
    claims: int
    trials: int

    @property
    def interval(self) -> Interval:
        """Return the share of false claims with its Clopper-Pearson interval at 95 per cent."""
        return clopper_pearson(self.claims, self.trials)


def cut_experiments(
    records: Sequence[JobRecord], cells: Sequence[Cell], blocks: int = EXPERIMENT_BLOCKS
) -> list[Experiment]:
    """Cut a sweep into experiments of this many successive blocks; omit those in which a job failed."""
    found = {(record.spec.cell.id, record.spec.block): record for record in records if record.outcome == "measured"}
    last = max((record.spec.block for record in records), default=0)
    wanted = [range(first, first + blocks) for first in range(1, last - blocks + 2, blocks)]
    return [
        {cell.id: [found[cell.id, block] for block in span] for cell in cells}
        for span in wanted
        if all((cell.id, block) in found for cell in cells for block in span)
    ]


def compute_rates(experiments: Sequence[Experiment]) -> tuple[FalsePositiveRate, ...]:
    """Compute the rates for single pairs of clones, and for sets whose pairs are tested together."""
    return (
        count_claims("a pair by itself", experiments, lambda names: combinations(names, 2)),
        count_claims("six clones, all 15 pairs (Holm)", experiments, split_into_sets),
    )


def count_claims(
    trial: str, experiments: Sequence[Experiment], choose_sets: Callable[[Sequence[str]], Iterable[Sequence[str]]]
) -> FalsePositiveRate:
    """Count the sets of clones, and those in which a sweep would find a difference."""
    claimed = [
        is_any_different(experiment, names) for experiment in experiments for names in choose_sets(list(experiment))
    ]
    return FalsePositiveRate(trial, sum(claimed), len(claimed))


def split_into_sets(names: Sequence[str], size: int = CLONES_IN_SET) -> Iterator[Sequence[str]]:
    """Return disjoint sets of this many names; drop the remainder."""
    return (names[first : first + size] for first in range(0, len(names) - size + 1, size))


def is_any_different(experiment: Experiment, names: Sequence[str]) -> bool:
    """Return True if a sweep over these clones would find any pair of them different."""
    # Only significance counts: a grade or the other estimator could still withdraw the claim.
    return any(found.significant for found in compare_until_precise(experiment, names))


def compare_until_precise(experiment: Experiment, names: Sequence[str]) -> tuple[Comparison, ...]:
    """Compare clones as a sweep does: at the first look that is precise enough, or after the last block."""
    last, looks = len(experiment[names[0]]), list_looks(math.comb(len(names), 2))
    for k in (*(look for look in looks if look < last), last):
        comparisons = compare_all_pairs({name: score_processes(experiment[name][:k]) for name in names})
        if should_stop(k, comparisons, TARGET_HALF_WIDTH):
            break
    return comparisons
