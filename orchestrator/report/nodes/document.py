"""A comparison over nodes as data."""

from typing import Any

from orchestrator.analysis.nodes.comparison import NodeRatio, NodesComparison, NodesResult
from orchestrator.analysis.rows import finite_or_none
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.report.nodes.sentences import describe_nodes
from orchestrator.report.values import comparison_to_dict, interval_to_dict


def nodes_to_dict(result: NodesResult) -> dict[str, Any]:
    """Return the comparisons over nodes of one type as data. What the data do not support is null."""
    return {
        "machine_type": result.nodes.machine_type,
        "nodes": list(result.nodes.names),
        "odd": {each.name: each.ratio for each in result.odd},
        "comparisons": [pair_to_dict(found) for found in result.comparisons],
        "clone": None if result.clone is None else pair_to_dict(result.clone),
        "without": None if result.without is None else nodes_to_dict(result.without),
        "sentences": describe_nodes(result),
    }


def pair_to_dict(found: NodesComparison) -> dict[str, Any]:
    """Return one pair as data: on each node, on these nodes, and over their type."""
    return {
        "nodes": [node_to_dict(row) for row in found.nodes],
        "on_nodes": comparison_to_dict(found.on_nodes),
        "dissenting": list(found.dissenting),
        "on_type": None if found.on_type is None else comparison_to_dict(found.on_type),
        "log_spread": None if found.spread is None else spread_to_dict(found.spread),
        "next_node": None if found.following is None else interval_to_dict(found.following),
    }


def node_to_dict(row: NodeRatio) -> dict[str, Any]:
    """Return the ratio on one node as data."""
    return {
        "node": row.node,
        "blocks": row.blocks,
        "ratio": interval_to_dict(row.ratio),
        "log_error": finite_or_none(row.error),
    }


def spread_to_dict(spread: Interval) -> dict[str, float | None]:
    """Return a spread with its ends. Unlike a ratio, it may be zero."""
    return {
        "estimate": finite_or_none(spread.estimate),
        "low": finite_or_none(spread.low),
        "high": finite_or_none(spread.high),
    }
