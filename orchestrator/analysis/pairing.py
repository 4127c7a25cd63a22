"""Which blocks of two cells may not be compared: those in which their processes were not sampled alike.

A floor is the fastest of so many samples: of more it is lower, and longer samples have less luck. In one sweep all
processes are sampled alike; records that were edited, or measured with another timing after a resume, need not be.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LENGTHS_APART: Final = 1.5
"""Samples that were meant to last so many times as long as others make no like floors."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one process was sampled: so often, for so long at a time. A `slow` call is a sample by itself."""

    samples: int
    target_ns: int
    slow: bool = False


def unlike(one: Mapping[int, Sampling], other: Mapping[int, Sampling]) -> dict[int, str]:
    """The blocks that may not be compared, each with the reason in words, which is the same from either side."""
    why = {block: difference(one[block], other[block]) for block in sorted(one.keys() & other.keys())}
    return {block: reason for block, reason in why.items() if reason}


def difference(one: Sampling, other: Sampling) -> str:
    """Why two processes have no like floors; empty if they have. A slow call takes as long as it takes."""
    few, many = sorted((one.samples, other.samples))
    if few != many:
        return f"one process took {few} samples and the other {many}"
    short, long = sorted((one.target_ns, other.target_ns))
    if long > LENGTHS_APART * short and not (one.slow or other.slow):
        return f"samples were to last {short / 1e6:g} ms in one process and {long / 1e6:g} ms in the other"
    return ""


def told(left_out: Mapping[int, str]) -> str:
    """What was left out and why, as a clause; empty if nothing was."""
    if not left_out:
        return ""
    blocks = f"{len(left_out)} block{'s are' if len(left_out) > 1 else ' is'} not compared"
    return f"{blocks}: {'; '.join(dict.fromkeys(left_out.values()))}"
