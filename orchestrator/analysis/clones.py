"""How often clones of one cell, which are all the same, are told apart: by us, and by the rules of others.

The blocks of a long sweep are cut into experiments as long as a real sweep. Each pair of clones in an experiment is one
trial; trials of one experiment share processes, so that intervals which take them for independent are too narrow.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, TypeAlias

import numpy as np

from orchestrator.analysis.compare import Comparison, compare_all, should_stop
from orchestrator.analysis.replay import disjoint, pooled_t, welch_beyond_threshold
from orchestrator.analysis.results import score
from orchestrator.analysis.statistics import LOOKS, Floats, Interval, clopper_pearson
from schemas.job import Cell
from schemas.record import JobRecord

BLOCKS: Final = 12
FAMILY: Final = 6
OURS: Final = "Plumbline"
TARGET: Final = 0.02
"""Half-width at which a real sweep stops looking."""

Rule: TypeAlias = Callable[[Floats, Floats], bool]
Experiment: TypeAlias = Mapping[str, Sequence[JobRecord]]
"""The records of one experiment: by cell, block after block."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a rule claimed a difference where there is none."""

    rule: str
    trial: str
    claims: int
    trials: int

    @property
    def ours(self) -> bool:
        """Whether this is our own rule, and not another tool's."""
        return self.rule == OURS

    @property
    def interval(self) -> Interval:
        """The share of false claims, with its Clopper-Pearson interval at 95 per cent."""
        return clopper_pearson(self.claims, self.trials)


def experiments(records: Sequence[JobRecord], cells: Sequence[Cell], blocks: int = BLOCKS) -> list[Experiment]:
    """Whole experiments of so many successive blocks; one in which a job failed is left out."""
    found = {(record.spec.cell.id, record.spec.block): record for record in records if record.outcome == "measured"}
    last = max((record.spec.block for record in records), default=0)
    wanted = [range(first, first + blocks) for first in range(1, last - blocks + 2, blocks)]
    return [
        {cell.id: [found[cell.id, block] for block in span] for cell in cells}
        for span in wanted
        if all((cell.id, block) in found for cell in cells for block in span)
    ]


def rates(tried: Sequence[Experiment]) -> tuple[Rate, ...]:
    """Ours first, for single pairs and for families; then the rules of others on the very same samples."""
    pairs = [(experiment, pair) for experiment in tried for pair in combinations(experiment, 2)]
    families = [(experiment, family) for experiment in tried for family in sets_of(FAMILY, list(experiment))]
    pooled = [(one, other) for experiment, (a, b) in pairs for one, other in halves(experiment[a], experiment[b])]
    single = [both for experiment, (a, b) in pairs for both in zip(experiment[a], experiment[b], strict=True)]
    return (
        rate(OURS, "a pair by itself", [told_apart(*trial) for trial in pairs]),
        rate(OURS, "six clones, all 15 pairs (Holm)", [told_apart(*trial) for trial in families]),
        rate(
            "pyperf: t on pooled values",
            "a pair, processes interleaved",
            [pooled_t(values(experiment[a]), values(experiment[b])) for experiment, (a, b) in pairs],
        ),
        rate(
            "pyperf: t on pooled values",
            "a pair, one after the other",
            [pooled_t(values(one), values(other)) for one, other in pooled],
        ),
        rate("criterion.rs: t and 1 %", "one process each", by_process(welch_beyond_threshold, single)),
        rate("torch: disjoint intervals", "one process each", by_process(disjoint, single)),
    )


def rate(rule: str, trial: str, claimed: Sequence[bool]) -> Rate:
    """Count the claims."""
    return Rate(rule, trial, sum(claimed), len(claimed))


def sets_of(size: int, names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Disjoint sets of so many names; those left over form none."""
    return (names[first : first + size] for first in range(0, len(names) - size + 1, size))


def told_apart(experiment: Experiment, names: Sequence[str]) -> bool:
    """Whether these clones, compared as a sweep compares its cells, come out as different anywhere.

    Significance alone counts, before a grade or the other estimator could withdraw the claim.
    """
    return any(found.significant for found in concluded(experiment, names))


def concluded(experiment: Experiment, names: Sequence[str]) -> tuple[Comparison, ...]:
    """What a sweep would conclude: at the first look that is precise enough, or at the last block."""
    last = len(experiment[names[0]])
    for k in (*(look for look in LOOKS if look < last), last):
        comparisons = compare_all({name: score(experiment[name][:k]) for name in names})
        if should_stop(k, comparisons, TARGET):
            break
    return comparisons


def halves(
    one: Sequence[JobRecord], other: Sequence[JobRecord]
) -> tuple[tuple[Sequence[JobRecord], Sequence[JobRecord]], ...]:
    """One cell in the first half of the blocks against the other in the second, and the other way round."""
    middle = len(one) // 2
    return (one[:middle], other[middle:]), (other[:middle], one[middle:])


def by_process(rule: Rule, both: Sequence[tuple[JobRecord, JobRecord]]) -> list[bool]:
    """What a rule says that looks at one process of each cell."""
    return [rule(values([one]), values([other])) for one, other in both]


def values(records: Sequence[JobRecord]) -> Floats:
    """All samples of these processes, in nanoseconds per call."""
    reports = [record.report for record in records if record.report is not None]
    return np.array([sample / report.calls for report in reports for sample in report.samples_ns])
