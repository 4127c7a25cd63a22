"""Comparison of cells over several nodes of one type of machine: on each node, on these nodes, and over their type.

Two cells are compared within blocks, and blocks within their node. On these nodes, a claim holds for the nodes that
were measured. Over the type, the nodes are a sample, so a claim holds for the mean of all nodes of the type.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from orchestrator.analysis.compare import (
    CLAIMS,
    MARGIN,
    Comparison,
    Scores,
    Verdict,
    compare_pairs,
    estimate_paired_ratio,
    pair_floors,
)
from orchestrator.analysis.nodes.nodes import Nodes, OddNode, find_odd_nodes, restrict_scores
from orchestrator.analysis.nodes.strata import (
    choose_by_node,
    combine_for_next,
    combine_on_nodes,
    combine_over_type,
    describe_effects,
)
from orchestrator.analysis.quality.comparability import find_unlike_blocks
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.analysis.statistics.looks import ALPHA
from orchestrator.analysis.statistics.random_effects import estimate_error
from orchestrator.analysis.statistics.variance_components import FEWEST_BLOCKS, VarianceComponents, estimate_components
from orchestrator.analysis.undisturbed import Floors, bound_ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRatio:
    """The ratio of two cells on one node, with room for what disturbances can have cost, and its log standard error.

    The error is infinite with fewer than two blocks.
    """

    node: str
    blocks: int
    ratio: Interval
    error: float

    @property
    def is_sampled(self) -> bool:
        """Return True if it has enough blocks to be one of the sample of its type."""
        return self.blocks >= FEWEST_BLOCKS


@dataclass(frozen=True, slots=True, kw_only=True)
class NodesComparison:
    """The comparison of two cells on each node, on these nodes, and over nodes of their type.

    `on_type`, `spread` and `following` are None if too few nodes have enough blocks. `spread` is the standard deviation
    of the log ratio between nodes. `following` is the prediction interval of the ratio on the next node, with room for
    disturbances. `dissenting` nodes contradict by themselves what all of them together would have claimed, which is
    then not claimed. `components` are None if fewer than two nodes have two blocks.
    """

    nodes: tuple[NodeRatio, ...]
    on_nodes: Comparison
    on_type: Comparison | None = None
    spread: Interval | None = None
    following: Interval | None = None
    dissenting: tuple[str, ...] = ()
    components: VarianceComponents | None = None

    @property
    def widest(self) -> Comparison:
        """Return the comparison that says the most: over the type if there is one, or else on these nodes."""
        return self.on_type or self.on_nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class NodesResult:
    """The comparisons of a family of pairs over nodes of one type, and of the A/A clone with its original.

    `odd` nodes have a canary off the median. `without` is the same family without them; None if there are none, or if
    no node would be left.
    """

    nodes: Nodes
    comparisons: tuple[NodesComparison, ...]
    clone: NodesComparison | None = None
    odd: tuple[OddNode, ...] = ()
    without: "NodesResult | None" = None


def compare_over_nodes(
    scores: Mapping[str, Scores],
    pairs: Sequence[tuple[str, str]],
    nodes: Nodes,
    *,
    clone: tuple[str, str] | None = None,
    margin: float = MARGIN,
    alpha: float = ALPHA,
) -> NodesResult:
    """Compare these pairs of cells over nodes of one type, and the A/A clone; with and without nodes that are odd.

    Raises:
        ValueError: a block of a cell was measured on none of these nodes.
    """
    check_blocks(scores, nodes)
    compare = partial(compare_families, pairs=pairs, clone=clone, margin=margin, alpha=alpha)
    odd = find_odd_nodes(nodes)
    names = {each.name for each in odd}
    without = None
    if odd and names < set(nodes.names):
        usual = nodes.leave_out(names)
        without = compare(restrict_scores(scores, usual), usual)
    return replace(compare(scores, nodes), odd=odd, without=without)


def check_blocks(scores: Mapping[str, Scores], nodes: Nodes) -> None:
    """Check that each block of each cell has its node.

    Raises:
        ValueError: one has none.
    """
    for cell, each in scores.items():
        if lost := sorted(each.floor.keys() - nodes.by_block.keys()):
            raise ValueError(f"block {lost[0]} of {cell} has no node: give the node of each block")


def compare_families(
    scores: Mapping[str, Scores],
    nodes: Nodes,
    *,
    pairs: Sequence[tuple[str, str]],
    clone: tuple[str, str] | None,
    margin: float,
    alpha: float,
) -> NodesResult:
    """Compare a family of pairs over all these nodes, and the clone with its original, as a family of its own."""
    twins = compare_family(scores, [clone], nodes, margin, alpha) if clone else ()
    return NodesResult(
        nodes=nodes, comparisons=compare_family(scores, pairs, nodes, margin, alpha), clone=next(iter(twins), None)
    )


def compare_family(
    scores: Mapping[str, Scores], pairs: Sequence[tuple[str, str]], nodes: Nodes, margin: float, alpha: float
) -> tuple[NodesComparison, ...]:
    """Compare a family of pairs. Claims on these nodes and claims over the type are two families (Holm)."""
    on_nodes, on_type = (
        compare_pairs(
            scores, pairs, margin=margin, alpha=alpha, choose_estimate=choose_by_node(nodes.by_block, combine, alpha)
        )
        for combine in (combine_on_nodes, combine_over_type)
    )
    return tuple(
        complete_comparison(scores, nodes, here, beyond, margin, alpha)
        for here, beyond in zip(on_nodes, on_type, strict=True)
    )


def complete_comparison(
    scores: Mapping[str, Scores], nodes: Nodes, here: Comparison, beyond: Comparison, margin: float, alpha: float
) -> NodesComparison:
    """Add to the comparisons of a pair its ratios on each node, and what its nodes say about others of their type."""
    left_out = find_unlike_blocks(scores[here.baseline].sampling, scores[here.cell].sampling)
    floors = pair_floors(scores[here.baseline], scores[here.cell], left_out)
    own = group_blocks(sorted(floors[0].measured), nodes)
    rows = [measure_on_node(*floors, node, own[node], alpha) for node in nodes.names]
    dissenting = find_dissenting(here, rows, margin)
    by_node = [list_differences(*floors, blocks) for blocks in own.values()]
    found = NodesComparison(
        nodes=tuple(rows),
        on_nodes=replace(here, verdict=Verdict.UNRESOLVED) if dissenting else here,
        dissenting=dissenting,
        components=estimate_components(by_node) if sum(len(each) > 1 for each in by_node) > 1 else None,
    )
    effects = describe_effects(by_node, alpha)
    if effects is None:
        return found
    choose = choose_by_node(nodes.by_block, combine_for_next, alpha)
    _, following = bound_ratio(*floors, choose(sorted(floors[0].measured)))
    sampled = sum(row.blocks for row in rows if row.is_sampled)
    return replace(
        found, on_type=replace(beyond, blocks=sampled), spread=effects.spread, following=following.interval.exp()
    )


def group_blocks(blocks: Sequence[int], nodes: Nodes) -> dict[str, list[int]]:
    """Return those of these blocks that ran on each node; a node may have none of them."""
    grouped: dict[str, list[int]] = {node: [] for node in nodes.names}
    for block in blocks:
        grouped[nodes.by_block[block]].append(block)
    return grouped


def measure_on_node(baseline: Floors, cell: Floors, node: str, blocks: Sequence[int], alpha: float) -> NodeRatio:
    """Return the ratio of two cells on one node, from its blocks alone."""
    differences = list_differences(baseline, cell, blocks)
    _, bounded = bound_ratio(
        select_floors(baseline, blocks), select_floors(cell, blocks), partial(estimate_paired_ratio, alpha=alpha)
    )
    error = estimate_error(differences) if len(differences) > 1 else math.inf
    return NodeRatio(node=node, blocks=len(blocks), ratio=bounded.interval.exp(), error=error)


def list_differences(baseline: Floors, cell: Floors, blocks: Sequence[int]) -> list[float]:
    """Return the log ratios as measured in these blocks."""
    return [cell.measured[block] - baseline.measured[block] for block in blocks]


def select_floors(floors: Floors, blocks: Collection[int]) -> Floors:
    """Return the floors of these blocks only."""
    measured, least, most = (
        {block: logs[block] for block in blocks} for logs in (floors.measured, floors.least, floors.most)
    )
    return Floors(measured, least, most)


def find_dissenting(here: Comparison, rows: Sequence[NodeRatio], margin: float) -> tuple[str, ...]:
    """Return the nodes whose own interval contradicts the verdict on all: the other way, or beyond the margin."""
    if here.verdict is Verdict.EQUIVALENT:
        return tuple(row.node for row in rows if row.ratio.low >= 1 + margin or row.ratio.high <= 1 / (1 + margin))
    if here.verdict not in CLAIMS:
        return ()
    slower = here.ratio.estimate > 1
    return tuple(row.node for row in rows if (row.ratio.high < 1 if slower else row.ratio.low > 1))
