"""The nodes on which the blocks of a sweep ran, all of one type of machine: no figure is of two types."""

import statistics
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from orchestrator.analysis.compare import Scores
from orchestrator.analysis.quality.flags import CANARY_LIMIT

# One canary has nothing to be compared with. Of two that differ, neither is the usual one, and both are named.
FEWEST_CANARIES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """Nodes of one type of machine: the node of each block, the type of each node, and its fastest canary if known.

    Raises:
        ValueError: there is no node, a node has no type, or the nodes are of several types.
    """

    by_block: Mapping[int, str]
    types: Mapping[str, str]
    canaries_ns: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_types(self.names, self.types)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the nodes in the order of their first blocks."""
        return tuple(dict.fromkeys(self.by_block[block] for block in sorted(self.by_block)))

    @property
    def machine_type(self) -> str:
        """Return the type of all these nodes."""
        return self.types[self.names[0]]

    def leave_out(self, names: Collection[str]) -> "Nodes":
        """Return the nodes without some."""
        return replace(self, by_block={block: node for block, node in self.by_block.items() if node not in names})


@dataclass(frozen=True, slots=True)
class OddNode:
    """A node whose canary takes `ratio` times the median of its type, outside of the limit."""

    name: str
    ratio: float


def check_types(names: Collection[str], types: Mapping[str, str]) -> None:
    """Check that these nodes are all of one known type.

    Raises:
        ValueError: they are not.
    """
    if not names:
        raise ValueError("no block has a node: give the node of each block")
    if unknown := [name for name in names if name not in types]:
        raise ValueError(f"the type of node {unknown[0]} is not known: give the type of each node")
    if len({types[name] for name in names}) > 1:
        listed = ", ".join(f"{name} is {types[name]}" for name in names)
        raise ValueError(f"nodes of several types of machine are never pooled ({listed}): compare each type by itself")


def find_odd_nodes(nodes: Nodes) -> tuple[OddNode, ...]:
    """Return the nodes whose fastest canary is off the median of their type, by the limit for a process.

    Canaries of processes may differ by more than that, but the fastest of a dozen processes varies by a few per cent at
    most. So a node beyond the limit has another speed, such as another clock, memory or cooling.
    """
    known = {name: nodes.canaries_ns[name] for name in nodes.names if nodes.canaries_ns.get(name, 0) > 0}
    if len(known) < FEWEST_CANARIES:
        return ()
    usual = statistics.median(known.values())
    ratios = {name: canary / usual for name, canary in known.items()}
    return tuple(OddNode(name, ratio) for name, ratio in ratios.items() if is_odd(ratio))


def is_odd(ratio: float) -> bool:
    """Return True if a canary that takes this multiple of the usual time is off, in either direction."""
    return not 1 / CANARY_LIMIT <= ratio <= CANARY_LIMIT


def restrict_scores(scores: Mapping[str, Scores], nodes: Nodes) -> dict[str, Scores]:
    """Return the scores of all cells in the blocks of these nodes only."""

    def keep_blocks(values: Mapping[int, float]) -> dict[int, float]:
        return {block: value for block, value in values.items() if block in nodes.by_block}

    return {
        cell: replace(
            each,
            floor=keep_blocks(each.floor),
            typical=keep_blocks(each.typical),
            # Blocks that two cells may not be compared in are found here, and named.
            sampling={block: how for block, how in each.sampling.items() if block in nodes.by_block},
        )
        for cell, each in scores.items()
    }
