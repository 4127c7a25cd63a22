"""How near a computation comes to what the machine was seen to do.

Williams, Waterman and Patterson, Roofline: an insightful visual performance model (Comm. ACM 52, 2009): of so many
operations for each byte, a machine does at most its peak, and at most what its memory can feed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.event import Report, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Roof:
    """The most that was ever measured here: operations and bytes in a second."""

    flops_per_s: float
    bytes_per_s: float

    @property
    def ridge(self) -> float:
        """Operations for each byte from which on the peak is the limit, and no longer the memory."""
        return self.flops_per_s / self.bytes_per_s

    def at(self, intensity: float) -> float:
        """Operations in a second, at most, at so many for each byte."""
        return min(self.flops_per_s, self.bytes_per_s * intensity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Achieved:
    """What one mode does in a second of what a call has to do at least, and as which share of the roof."""

    intensity: float
    flops_per_s: float
    bytes_per_s: float
    share: float


def roof(reports: Iterable[Report]) -> Roof | None:
    """The highest of the processes' ceilings, in each respect. None where nothing was measured."""
    ceilings = [report.ceiling for report in reports]
    flops_per_s = max((each.flops_per_s for each in ceilings), default=0)
    bytes_per_s = max((each.bytes_per_s for each in ceilings), default=0)
    return Roof(flops_per_s=flops_per_s, bytes_per_s=bytes_per_s) if flops_per_s > 0 and bytes_per_s > 0 else None


def achieved(work: Work, call_ns: float, under: Roof) -> Achieved | None:
    """Of a call that takes so long. None where it has no operations or no bytes to speak of."""
    if not (work.flops and work.bytes and call_ns > 0):
        return None
    intensity, flops_per_s = work.flops / work.bytes, work.flops / call_ns * 1e9
    return Achieved(
        intensity=intensity,
        flops_per_s=flops_per_s,
        bytes_per_s=work.bytes / call_ns * 1e9,
        share=flops_per_s / under.at(intensity),
    )
