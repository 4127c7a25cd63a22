"""Interleaving of two runs whose blocks alternated, so that they can be compared pair by pair."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, TypeVar

from orchestrator.comparison.changes import CellSide

T = TypeVar("T")

# Two runs of one block each were made one after the other, and did not alternate.
FEWEST_PAIRS: Final = 2


def match_alternating_blocks(before: Mapping[int, float], after: Mapping[int, float]) -> dict[int, int] | None:
    """Return for each block of the second run the matching one of the first; None if the runs did not alternate.

    The arguments are the start of each block. A pair is one block of each run, in either order, with none between. The
    last block may remain unmatched.
    """
    order = sorted([(at, 0, block) for block, at in before.items()] + [(at, 1, block) for block, at in after.items()])
    pairs = [sorted([one[1:], other[1:]]) for one, other in zip(order[::2], order[1::2], strict=False)]
    if len(pairs) < FEWEST_PAIRS or any([run for run, _ in pair] != [0, 1] for pair in pairs):
        return None
    return {later: earlier for (_, earlier), (_, later) in pairs}


def renumber_blocks(side: CellSide, numbers: Mapping[int, int]) -> CellSide:
    """Return a side with each block under its number in `numbers`, without the blocks that have none there."""

    def renumber_logs(logs: Mapping[int, T]) -> dict[int, T]:
        return {numbers[block]: log for block, log in logs.items() if block in numbers}

    return replace(
        side,
        scores=replace(
            side.scores,
            floor=renumber_logs(side.scores.floor),
            typical=renumber_logs(side.scores.typical),
            sampling=renumber_logs(side.scores.sampling),
            least=renumber_logs(side.scores.least),
            samples=renumber_logs(side.scores.samples),
            undisturbed=renumber_logs(side.scores.undisturbed),
        ),
        memory={metric: renumber_logs(logs) for metric, logs in side.memory.items()},
    )
