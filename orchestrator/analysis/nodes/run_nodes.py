"""The nodes that measured the processes of a run."""

from collections.abc import Iterable

from orchestrator.analysis.derivation.process import Process
from orchestrator.analysis.nodes.nodes import Nodes
from orchestrator.analysis.quality.flags import find_canary_floor_ns


def find_nodes(processes: Iterable[Process]) -> Nodes | None:
    """Return the nodes of these processes, which are of one type of machine; None if one machine ran them all."""
    of_node: dict[str, list[Process]] = {}
    for process in processes:
        if process.node:
            of_node.setdefault(process.node, []).append(process)
    if len(of_node) < 2:
        return None
    return Nodes(
        by_block={each.block: node for node, found in of_node.items() for each in found},
        types={node: found[0].machine.content_hash for node, found in of_node.items()},
        canaries_ns={node: find_canary_floor_ns(found) for node, found in of_node.items()},
    )
