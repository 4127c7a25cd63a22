"""Synthetic sweeps over nodes whose ratios are known."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from orchestrator.analysis.compare import Scores
from orchestrator.analysis.nodes.nodes import Nodes

KIND = "d128fb31"


def list_pairs(count: int) -> list[tuple[str, str]]:
    """Return all pairs of this many cells."""
    return list(combinations(name_cells(count), 2))


def name_cells(count: int) -> list[str]:
    return [f"cell {place}" for place in range(count)]


def make_nodes(shares: Sequence[int], canaries_ns: Sequence[float] = ()) -> Nodes:
    """Return nodes n1, n2 and so on with these numbers of blocks, one after the other, from block 1 on."""
    names = [f"n{place + 1}" for place in range(len(shares))]
    of_blocks = [name for name, share in zip(names, shares, strict=True) for _ in range(share)]
    return Nodes(
        by_block=dict(enumerate(of_blocks, 1)),
        types=dict.fromkeys(names, KIND),
        canaries_ns=dict(zip(names, canaries_ns, strict=False)),
    )


def make_scores(logs: Sequence[Sequence[float]]) -> dict[str, Scores]:
    """Return the scores of cells whose log times in blocks 1, 2 and so on are these."""
    scores = [Scores(dict(enumerate(own, 1)), dict(enumerate(own, 1))) for own in logs]
    return dict(zip(name_cells(len(logs)), scores, strict=True))


def make_sweep(centres: Sequence[float], shares: Sequence[int], noise: float = 0.004) -> dict[str, Scores]:
    """Return two cells whose log ratio on each node is its centre, with noise that is the same in each test."""
    rng = np.random.default_rng(1)
    levels = [centre for centre, share in zip(centres, shares, strict=True) for _ in range(share)]
    baseline = rng.normal(0, 0.05, len(levels))
    # Differences alternate about their centre, so that small shares are centred too.
    sizes = noise * (1 + 0.1 * rng.random(len(levels))) * np.where(np.arange(len(levels)) % 2, 1, -1)
    return make_scores([baseline.tolist(), (baseline + levels + sizes).tolist()])
