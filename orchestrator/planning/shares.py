"""Shares of a sweep: its number of blocks on several nodes, and which blocks are handed out together. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from schemas.cluster import Cluster
from schemas.sweep import Stop


@dataclass(frozen=True, slots=True)
class Assignment:
    """Blocks to hand out: an attempt at a share."""

    share: int
    attempt: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class ShareLayout:
    """The shares of a sweep, the number of nodes at once, and the expected time of a block."""

    blocks: int
    share_blocks: int
    nodes: int
    block_s: float

    @property
    def shares(self) -> int:
        """The number of shares."""
        return math.ceil(self.blocks / self.share_blocks)

    @property
    def node_s(self) -> float:
        """The time of the node that takes longest, without waiting and without the creation of environments."""
        return math.ceil(self.shares / self.nodes) * self.share_blocks * self.block_s

    @property
    def total_s(self) -> float:
        """The time of all nodes together."""
        return self.blocks * self.block_s


def lay_out_shares(stop: Stop, cluster: Cluster, nodes: int, block_s: float) -> ShareLayout:
    """Choose the number of blocks and the size of shares: the budget holds for each node, which measure side by side.

    A node measures one block at least.
    """
    on_node = max(1, math.floor(stop.budget / block_s))
    blocks = min(stop.blocks, nodes * on_node)
    size = cluster.share_blocks or math.ceil(blocks / nodes)
    return ShareLayout(blocks, min(size, blocks), min(nodes, blocks), block_s)


def assign_blocks(
    missing: Sequence[int], known: Mapping[int, range], attempts: Mapping[int, int], share_blocks: int
) -> Iterator[Assignment]:
    """Yield what hands out the missing blocks. A block of a `known` share stays in it, as a further attempt.

    `attempts` are the numbers of the last attempts at shares.
    """
    owners = {block: share for share, blocks in known.items() for block in blocks}
    number, used = max(known, default=0), dict(attempts)
    for run in split_runs(missing, owners):
        share = owners.get(run.start, 0)
        parts = [run] if share else [run[at : at + share_blocks] for at in range(0, len(run), share_blocks)]
        for part in parts:
            if not share:
                number += 1
            owner = share or number
            used[owner] = used.get(owner, 0) + 1
            yield Assignment(owner, used[owner], part.start, part.stop - 1)


def split_runs(blocks: Sequence[int], owners: Mapping[int, int]) -> Iterator[range]:
    """Yield the blocks as ranges without a gap, each of one share."""
    start: int | None = None
    for position, block in enumerate(blocks):
        start = block if start is None else start
        after = blocks[position + 1] if position + 1 < len(blocks) else None
        if after != block + 1 or owners.get(after) != owners.get(block):
            yield range(start, block + 1)
            start = None
