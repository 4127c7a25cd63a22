"""Estimates of a log ratio from blocks on several nodes: on these nodes, over their type, and for the next node.

Log times are compared within their node, so a node that is slower as a whole changes nothing.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from orchestrator.analysis.compare import ChooseEstimate
from orchestrator.analysis.statistics.intervals import Interval, hodges_lehmann
from orchestrator.analysis.statistics.random_effects import RandomEffects, combine_effects, pool_variance
from orchestrator.analysis.statistics.stratified_ranks import stratified_hodges_lehmann, stratified_signed_rank_p
from orchestrator.analysis.statistics.variance_components import FEWEST_BLOCKS, FEWEST_NODES
from orchestrator.analysis.undisturbed import EstimateRatio, RatioEstimate

Strata: TypeAlias = Sequence[Sequence[float]]
Combine: TypeAlias = Callable[[Strata, float], RatioEstimate]

NO_ESTIMATE = RatioEstimate(Interval(float("nan"), float("-inf"), float("inf")), 1.0)


def choose_by_node(by_block: Mapping[int, str], combine: Combine, alpha: float) -> ChooseEstimate:
    """Return the choice of an estimate that combines the differences of each node."""

    def choose_estimate(blocks: Sequence[int]) -> EstimateRatio:
        return partial(estimate_by_node, [by_block[block] for block in blocks], combine, alpha)

    return choose_estimate


def estimate_by_node(
    nodes: Sequence[str], combine: Combine, alpha: float, baseline: Sequence[float], cell: Sequence[float]
) -> RatioEstimate:
    """Estimate a log ratio from log times in the same blocks, each on the node of the same place."""
    differences = [after - before for before, after in zip(baseline, cell, strict=True)]
    return combine(list(group_by_node(nodes, differences).values()), alpha)


def group_by_node(nodes: Sequence[str], differences: Sequence[float]) -> dict[str, list[float]]:
    """Return the differences of each node."""
    grouped: dict[str, list[float]] = {}
    for node, difference in zip(nodes, differences, strict=True):
        grouped.setdefault(node, []).append(difference)
    return grouped


def combine_on_nodes(strata: Strata, alpha: float) -> RatioEstimate:
    """Estimate the log ratio on these nodes, by ranks within each."""
    return RatioEstimate(stratified_hodges_lehmann(strata, alpha), stratified_signed_rank_p(strata))


def combine_over_type(strata: Strata, alpha: float) -> RatioEstimate:
    """Estimate the mean log ratio over all nodes of the type, of which these are a sample."""
    found = describe_effects(strata, alpha)
    return NO_ESTIMATE if found is None else RatioEstimate(found.mean, found.p)


def combine_for_next(strata: Strata, alpha: float) -> RatioEstimate:
    """Estimate the log ratio on the next node of the type. It is no test, so its p is 1."""
    found = describe_effects(strata, alpha)
    return NO_ESTIMATE if found is None else RatioEstimate(found.following, 1.0)


def describe_effects(strata: Strata, alpha: float) -> RandomEffects | None:
    """Return the random effects of nodes; None if too few nodes have enough blocks."""
    usable = [differences for differences in strata if len(differences) >= FEWEST_BLOCKS]
    if len(usable) < FEWEST_NODES:
        return None
    centres = [hodges_lehmann(differences, alpha).estimate for differences in usable]
    within = pool_variance(usable)
    return combine_effects(centres, [math.sqrt(within / len(differences)) for differences in usable], alpha)
