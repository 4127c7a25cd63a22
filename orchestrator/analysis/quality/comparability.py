"""Comparability of blocks: two cells must not be compared in a block in which they were sampled differently.

A floor rises with the length of the samples. One sweep gives all samples the same target length. Edited records, and
records made with another timing after a resume, may differ. A floor also falls with the number of samples, but floors
of unequal numbers can be made comparable: see `statistics/order_statistics.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# Floors are not comparable if the target length of their samples differs by more than this factor.
LENGTH_RATIO_LIMIT: Final = 1.5


@dataclass(frozen=True, slots=True)
class Sampling:
    """The target length of the samples of one process. A `slow` call is a whole sample."""

    target_ns: int
    slow: bool = False


def find_unlike_blocks(one: Mapping[int, Sampling], other: Mapping[int, Sampling]) -> dict[int, str]:
    """Return the blocks that must not be compared, each with the reason; the order of the two does not matter."""
    why = {block: explain_difference(one[block], other[block]) for block in sorted(one.keys() & other.keys())}
    return {block: reason for block, reason in why.items() if reason}


def explain_difference(one: Sampling, other: Sampling) -> str:
    """Return the reason why two processes have no comparable floors; empty if they have.

    The target length is irrelevant to a slow call, which lasts longer anyway.
    """
    short, long = sorted((one.target_ns, other.target_ns))
    if long > LENGTH_RATIO_LIMIT * short and not (one.slow or other.slow):
        return f"samples were set to last {short / 1e6:g} ms in one process and {long / 1e6:g} ms in the other"
    return ""


def format_left_out_blocks(left_out: Mapping[int, str]) -> str:
    """Return a clause that names the blocks left out, and the reasons; empty if there are none."""
    if not left_out:
        return ""
    blocks = f"{len(left_out)} block{'s are' if len(left_out) > 1 else ' is'} not compared"
    return f"{blocks}: {'; '.join(dict.fromkeys(left_out.values()))}"
