"""The ranks that each cell of a group may hold, and its ties, as they follow from claims about pairs."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product
from statistics import fmean

from orchestrator.analysis.compare import Comparison, index_both_ways


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A cell's place: it may hold any rank from `best` to `worst`, and is indistinguishable from `tied_with`."""

    cell: str
    best: int
    worst: int
    tied_with: tuple[str, ...]


def collect_claims(cells: Collection[str], comparisons: Sequence[Comparison]) -> dict[str, frozenset[str]]:
    """Return for each cell the slower ones: those that it was claimed to beat, and those that must follow them.

    If A beats B and B beats C, then A beats C. That is true whenever both claims are, so it costs no further test. From
    claims that form a circle nothing follows. Only pairs within `cells` count.
    """
    claimed: dict[str, set[str]] = {cell: set() for cell in cells}
    for (baseline, cell), found in index_both_ways(comparisons).items():
        # Each pair appears in both directions, so testing one side counts every claim once.
        if found.claimed_faster == cell and {baseline, cell} <= claimed.keys():
            claimed[cell].add(baseline)
    slower = {cell: set(beaten) for cell, beaten in claimed.items()}
    for between, first in product(cells, repeat=2):  # Warshall's transitive closure
        if between in slower[first]:
            slower[first] |= slower[between]
    return {
        cell: frozenset(claimed[cell] | {other for other in beaten if cell not in slower[other]})
        for cell, beaten in slower.items()
    }


def compute_rank_ranges(cells: Collection[str], comparisons: Sequence[Comparison]) -> dict[str, tuple[int, int]]:
    """Return the best and worst rank open to each cell: 1 + cells known to be faster, and C - cells known to be slower.

    All ranges hold simultaneously, with the confidence of the family of tests. Only pairs within `cells` count.
    """
    return bound_ranks(collect_claims(cells, comparisons))


def bound_ranks(slower: Mapping[str, Collection[str]]) -> dict[str, tuple[int, int]]:
    """Return the best and worst rank open to each cell, given those known to be slower than it."""
    faster = Counter(chain.from_iterable(slower.values()))
    return {cell: (1 + faster[cell], len(slower) - len(beaten)) for cell, beaten in slower.items()}


def compute_standings(
    cells: Collection[str], comparisons: Sequence[Comparison], ordering: Sequence[Comparison] = ()
) -> tuple[Standing, ...]:
    """Return the cells in order of their mean log ratio to the others, with the ranks open to each and its ties.

    Ratios come from `ordering`, if `comparisons` are only some of the pairs.
    The order is for display and makes no claim; `tied_with` does. Two cells tie if their ranks overlap and no claim
    tells them apart. With A before B and C tied to both, the ranks of A and B overlap.
    """
    slower = collect_claims(cells, comparisons)
    open_ranks = bound_ranks(slower)

    def is_tied(a: str, b: str) -> bool:
        overlap = open_ranks[a][0] <= open_ranks[b][1] and open_ranks[b][0] <= open_ranks[a][1]
        return a != b and overlap and b not in slower[a] and a not in slower[b]

    # Ratios within blocks, not absolute times: those include what all cells of a block shared.
    ratios = index_both_ways(ordering or comparisons)
    order = sorted(cells, key=lambda cell: _mean_log_ratio(cell, cells, ratios))
    return tuple(
        Standing(
            cell=cell,
            best=open_ranks[cell][0],
            worst=open_ranks[cell][1],
            tied_with=tuple(other for other in order if is_tied(cell, other)),
        )
        for cell in order
    )


def _mean_log_ratio(cell: str, cells: Collection[str], pairs: Mapping[tuple[str, str], Comparison]) -> float:
    """Return the mean log ratio to the others: the least-squares scale of paired comparisons; infinity without any."""
    ratios = [pairs[other, cell].ratio.estimate for other in cells if (other, cell) in pairs]
    return fmean([math.log(ratio) for ratio in ratios if not math.isnan(ratio)] or [math.inf])
