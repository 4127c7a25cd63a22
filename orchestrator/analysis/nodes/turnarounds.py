"""Pairs of cells whose order turns round from one type of machine to another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.analysis.compare import Comparison, Verdict, index_both_ways


@dataclass(frozen=True, slots=True, kw_only=True)
class Turnaround:
    """A pair of which `cell` is FASTER on some types of machine and SLOWER on others, by type."""

    baseline: str
    cell: str
    faster: Mapping[str, Comparison]
    slower: Mapping[str, Comparison]


def find_turnarounds(by_type: Mapping[str, Sequence[Comparison]]) -> tuple[Turnaround, ...]:
    """Return the pairs whose verdicts on several types of machine contradict each other, in the order of the pairs.

    Each type keeps its own figures. A pair may have either cell as its baseline, and the first type decides.
    """
    indexed = {kind: index_both_ways(comparisons) for kind, comparisons in by_type.items()}
    pairs: dict[tuple[str, str], None] = {}
    for comparisons in by_type.values():
        for found in comparisons:
            if (found.cell, found.baseline) not in pairs:
                pairs[found.baseline, found.cell] = None
    turnarounds = (describe_pair(pair, indexed) for pair in pairs)
    return tuple(each for each in turnarounds if each.faster and each.slower)


def describe_pair(pair: tuple[str, str], indexed: Mapping[str, Mapping[tuple[str, str], Comparison]]) -> Turnaround:
    """Return the types of machine on which one pair has a verdict either way."""
    by_type = {kind: found[pair] for kind, found in indexed.items() if pair in found}
    faster, slower = (
        {kind: each for kind, each in by_type.items() if each.verdict is verdict}
        for verdict in (Verdict.FASTER, Verdict.SLOWER)
    )
    return Turnaround(baseline=pair[0], cell=pair[1], faster=faster, slower=slower)
