"""Variance components within nodes and between nodes, and the numbers of blocks and nodes that they ask for.

Kalibera and Jones (2013), Rigorous Benchmarking in Reasonable Time, ISMM: the number of repetitions at one level
follows from the variances of that level and the next, and from their costs. Here the levels are blocks and nodes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from orchestrator.analysis.statistics.intervals import hodges_lehmann
from orchestrator.analysis.statistics.random_effects import pool_variance, solve_for_variance

# A node's estimate needs a standard error, and that of fewer blocks is itself a matter of chance.
FEWEST_BLOCKS: Final = 4

# A spread between nodes needs as many nodes, and so does any statement about other nodes of their type.
FEWEST_NODES: Final = 3

# The longest sweep of one node has as many blocks (`LOOKS`), and no plan asks for more nodes.
MOST_BLOCKS: Final = 32
MOST_NODES: Final = 1000


@dataclass(frozen=True, slots=True)
class VarianceComponents:
    """Variances of a log ratio: from block to block within a node, and from node to node beyond that."""

    within: float
    between: float

    def predict_variance(self, blocks: int, nodes: int) -> float:
        """Return the variance of the mean over this many nodes with this many blocks each."""
        return (self.between + self.within / blocks) / nodes


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds that one more block takes on a node, and that one more node takes before its first block."""

    block: float
    node: float

    def sum_costs(self, blocks: int, nodes: int) -> float:
        """Return the time of this many nodes with this many blocks each, summed over the nodes."""
        return nodes * (self.node + blocks * self.block)


@dataclass(frozen=True, slots=True)
class NodePlan:
    """Numbers of blocks a node and of nodes, the half-width of the log ratio that they promise, and their cost."""

    blocks: int
    nodes: int
    half_width: float
    cost: float


def estimate_components(by_node: Sequence[Sequence[float]]) -> VarianceComponents:
    """Estimate the variance components of differences from at least two nodes with two blocks or more each.

    Raises:
        ValueError: there are fewer such nodes.
    """
    nodes = [differences for differences in by_node if len(differences) > 1]
    if len(nodes) < 2:
        raise ValueError(f"{len(nodes)} nodes with two blocks or more show no spread between nodes: give two or more")
    within = pool_variance(nodes)
    centres = np.array([hodges_lehmann(each, 0.5).estimate for each in nodes])
    errors = within / np.array([len(each) for each in nodes])
    return VarianceComponents(within, solve_for_variance(centres, errors, len(nodes) - 1))


def choose_blocks(
    components: VarianceComponents, costs: Costs, *, fewest: int = FEWEST_BLOCKS, most: int = MOST_BLOCKS
) -> int:
    """Return the number of blocks a node that makes the mean over nodes most precise for its cost.

    The optimum is the root of (cost of a node / cost of a block) times (variance within / variance between). Without
    any variance between nodes, further nodes are worth no more than further blocks, so it is the greatest number.
    """
    if components.between <= 0:
        return most
    best = math.sqrt(costs.node / costs.block * components.within / components.between)
    nearby = {min(most, max(fewest, whole)) for whole in (math.floor(best), math.ceil(best))}
    # The product is convex in the number of blocks, so one of the two neighbours is the best whole number.
    return min(nearby, key=lambda blocks: components.predict_variance(blocks, 1) * costs.sum_costs(blocks, 1))


def plan_nodes(
    components: VarianceComponents,
    costs: Costs,
    half_width: float,
    alpha: float,
    *,
    fewest: int = FEWEST_BLOCKS,
    most: int = MOST_BLOCKS,
) -> NodePlan | None:
    """Return the fewest nodes, with the best number of blocks each, whose interval has at most this half-width.

    None if even the greatest number of nodes is too few.
    """
    from scipy.special import stdtrit

    blocks = choose_blocks(components, costs, fewest=fewest, most=most)
    for nodes in range(FEWEST_NODES, MOST_NODES + 1):
        expected = float(stdtrit(nodes - 1, 1 - alpha / 2)) * math.sqrt(components.predict_variance(blocks, nodes))
        if expected <= half_width:
            return NodePlan(blocks, nodes, expected, costs.sum_costs(blocks, nodes))
    return None
