"""Whether two runs took turns, so that their blocks can be compared pair by pair."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, TypeVar

from orchestrator.analysis.runs import Side

T = TypeVar("T")

FEWEST_TURNS: Final = 2
"""One run after another of one block each have not taken turns."""


def alternating(before: Mapping[int, float], after: Mapping[int, float]) -> dict[int, int] | None:
    """For each block of the second run, that of the first beside which it was run; None if they did not take turns.

    Given when each block began. A turn is a block of each run, in either order, with none between; the last block may
    be left over.
    """
    order = sorted([(at, 0, block) for block, at in before.items()] + [(at, 1, block) for block, at in after.items()])
    turns = [sorted([one[1:], other[1:]]) for one, other in zip(order[::2], order[1::2], strict=False)]
    if len(turns) < FEWEST_TURNS or any([run for run, _ in turn] != [0, 1] for turn in turns):
        return None
    return {later: earlier for (_, earlier), (_, later) in turns}


def beside(side: Side, turns: Mapping[int, int]) -> Side:
    """What a run says, each block under the number of the one beside which it was run; the others are left out."""

    def under(logs: Mapping[int, T]) -> dict[int, T]:
        return {turns[block]: log for block, log in logs.items() if block in turns}

    return replace(
        side,
        scores=replace(
            side.scores,
            floor=under(side.scores.floor),
            typical=under(side.scores.typical),
            sampling=under(side.scores.sampling),
        ),
        memory={metric: under(logs) for metric, logs in side.memory.items()},
    )
