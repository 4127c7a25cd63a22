"""The looks: after which numbers of blocks a sweep may end, and the error that this costs."""

import math
from typing import Final

# Numbers of blocks after which a sweep checks whether it may stop; it always stops at the last one.
LOOKS: Final = (8, 12, 16, 20, 24, 32)


# Level of one look: five per cent, minus the cost of looking more than once.
ALPHA: Final = 0.04


def blocks_needed(pairs: int, alpha: float = ALPHA) -> int:
    """Return the blocks needed for the smallest attainable p, 2 / 2^k, to pass Holm's first step for `pairs` pairs."""
    return math.ceil(1 + math.log2(max(pairs, 1) / alpha))
