"""False positives among identical clones of one cell, by the rule of Plumbline and by those of other tools.

The blocks of a long sweep are cut into experiments as long as a real sweep. Each pair of clones in an experiment is one
trial. Trials of one experiment share processes, so intervals that assume independence are too narrow.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, TypeAlias

import numpy as np

from orchestrator.analysis.compare import Comparison, compare_all_pairs
from orchestrator.analysis.process_scores import score_records
from orchestrator.analysis.statistics.intervals import Floats, Interval, clopper_pearson
from orchestrator.analysis.statistics.looks import LOOKS
from orchestrator.analysis.stopping import should_stop
from orchestrator.selftest.other_tools import criterion_differs, pyperf_differs, torch_differs
from schemas.job import Cell
from schemas.record import JobRecord

EXPERIMENT_BLOCKS: Final = 12
FAMILY_SIZE: Final = 6
OWN_RULE: Final = "Plumbline"

# The half-width at which a real sweep stops.
TARGET_HALF_WIDTH: Final = 0.02

Rule: TypeAlias = Callable[[Floats, Floats], bool]

# The records of one experiment by cell, in the order of the blocks.
Experiment: TypeAlias = Mapping[str, Sequence[JobRecord]]


@dataclass(frozen=True, slots=True)
class FalsePositiveRate:
    """The number of trials without a true difference, and the claims that a rule made in them."""

    rule: str
    trial: str
    claims: int
    trials: int

    @property
    def is_own_rule(self) -> bool:
        """Return True for the rule of Plumbline, False for that of another tool."""
        return self.rule == OWN_RULE

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


def compute_rates(tried: Sequence[Experiment]) -> tuple[FalsePositiveRate, ...]:
    """Compute Plumbline's rates for single pairs and families, then those of other rules on the same samples."""
    pairs = [(experiment, pair) for experiment in tried for pair in combinations(experiment, 2)]
    families = [
        (experiment, family) for experiment in tried for family in split_into_sets(FAMILY_SIZE, list(experiment))
    ]
    pooled = [
        (one, other) for experiment, (a, b) in pairs for one, other in pair_across_halves(experiment[a], experiment[b])
    ]
    single = [both for experiment, (a, b) in pairs for both in zip(experiment[a], experiment[b], strict=True)]
    return (
        count_claims(OWN_RULE, "a pair by itself", [is_any_told_apart(*trial) for trial in pairs]),
        count_claims(OWN_RULE, "six clones, all 15 pairs (Holm)", [is_any_told_apart(*trial) for trial in families]),
        count_claims(
            "pyperf: t on pooled values",
            "a pair, processes interleaved",
            [
                pyperf_differs(collect_sample_times(experiment[a]), collect_sample_times(experiment[b]))
                for experiment, (a, b) in pairs
            ],
        ),
        count_claims(
            "pyperf: t on pooled values",
            "a pair, one after the other",
            [pyperf_differs(collect_sample_times(one), collect_sample_times(other)) for one, other in pooled],
        ),
        count_claims("criterion.rs: t and 1 %", "one process each", apply_per_process(criterion_differs, single)),
        count_claims("torch: disjoint intervals", "one process each", apply_per_process(torch_differs, single)),
    )


def count_claims(rule: str, trial: str, claimed: Sequence[bool]) -> FalsePositiveRate:
    """Count the claims of a rule."""
    return FalsePositiveRate(rule, trial, sum(claimed), len(claimed))


def split_into_sets(size: int, names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Return disjoint sets of this many names; drop the remainder."""
    return (names[first : first + size] for first in range(0, len(names) - size + 1, size))


def is_any_told_apart(experiment: Experiment, names: Sequence[str]) -> bool:
    """Return True if a sweep over these clones would find any pair of them different."""
    # Only significance counts: a grade or the other estimator could still withdraw the claim.
    return any(found.significant for found in compare_until_precise(experiment, names))


def compare_until_precise(experiment: Experiment, names: Sequence[str]) -> tuple[Comparison, ...]:
    """Compare clones as a sweep does: at the first look that is precise enough, or after the last block."""
    last = len(experiment[names[0]])
    for k in (*(look for look in LOOKS if look < last), last):
        comparisons = compare_all_pairs({name: score_records(experiment[name][:k]) for name in names})
        if should_stop(k, comparisons, TARGET_HALF_WIDTH):
            break
    return comparisons


def pair_across_halves(
    one: Sequence[JobRecord], other: Sequence[JobRecord]
) -> tuple[tuple[Sequence[JobRecord], Sequence[JobRecord]], ...]:
    """Pair one cell's first half of the blocks with the other's second half, and vice versa."""
    middle = len(one) // 2
    return (one[:middle], other[middle:]), (other[:middle], one[middle:])


def apply_per_process(rule: Rule, both: Sequence[tuple[JobRecord, JobRecord]]) -> list[bool]:
    """Apply a rule that compares one process of each cell."""
    return [rule(collect_sample_times([one]), collect_sample_times([other])) for one, other in both]


def collect_sample_times(records: Sequence[JobRecord]) -> Floats:
    """Return all samples of these processes, in nanoseconds per call."""
    reports = [record.report for record in records if record.report is not None]
    return np.array([sample / report.calls for report in reports for sample in report.samples_ns])
