"""The looks: after which numbers of blocks a sweep may end, and the error that this costs."""

import math
from dataclasses import dataclass
from typing import Final

# Numbers of blocks after which a sweep checks whether it may stop; it always stops at the last one. The first one comes
# later where ranks need more blocks.
LOOKS: Final = (8, 12, 16, 20, 24, 32)


# Level of one look: five per cent, minus the cost of looking more than once.
ALPHA: Final = 0.04

# Level of one look where a missing verdict decides that there is another. It pays for a look after every block.
ALPHA_ON_VERDICTS: Final = 0.01


def blocks_needed(pairs: int, alpha: float = ALPHA) -> int:
    """Return the blocks needed for the smallest attainable p, 2 / 2^k, to pass Holm's first step for `pairs` pairs."""
    return math.ceil(1 + math.log2(max(pairs, 1) / alpha))


def list_looks(pairs: int) -> tuple[int, ...]:
    """Return the looks where ranks rest on so many pairs: the first has enough blocks for these, up to the second one.

    A look with fewer blocks could end the run with precise ratios of which none may be claimed.
    """
    first = min(max(LOOKS[0], blocks_needed(pairs)), LOOKS[1])
    return (first, *(look for look in LOOKS if look > first))


@dataclass(frozen=True, slots=True)
class LookRule:
    """The part that verdicts have in the end of a run.

    `on_verdicts`: the run goes on until there are verdicts. `ended_after` are the numbers of blocks after which it had
    ended before it was extended: the user had seen its verdicts by then.
    """

    on_verdicts: bool = False
    ended_after: tuple[int, ...] = ()

    def choose_alpha(self, pairs: int) -> float:
        """Return the level of one look for a family of this many pairs.

        An end that came too early for any claim costs nothing: the blocks go on whatever the data were.
        """
        has_looked = any(blocks >= blocks_needed(pairs) for blocks in self.ended_after)
        return ALPHA_ON_VERDICTS if self.on_verdicts or has_looked else ALPHA


# A sweep that ends by its precision, as planned.
PLANNED: Final = LookRule()
