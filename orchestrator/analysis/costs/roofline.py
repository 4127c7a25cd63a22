"""Roofline model: a computation's rate as a share of the highest rate measured on this machine.

Williams, Waterman and Patterson, Roofline: an insightful visual performance model (Comm. ACM 52, 2009): at a given
number of operations per byte, a machine is limited by its peak rate and by its memory bandwidth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.analysis.derivation.process import Figures
from schemas.event import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Roof:
    """The highest measured rates of this machine: operations and bytes per second."""

    flops_per_s: float
    bytes_per_s: float

    @property
    def ridge(self) -> float:
        """Return the operations per byte from which the peak is the limit rather than the memory."""
        return self.flops_per_s / self.bytes_per_s

    def flops_per_s_at(self, intensity: float) -> float:
        """Return the limit in operations per second at this number of operations per byte."""
        return min(self.flops_per_s, self.bytes_per_s * intensity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Achieved:
    """The rates of one mode for the minimal work of a call, and its share of the roof."""

    intensity: float
    flops_per_s: float
    bytes_per_s: float
    share: float


def find_roof(processes: Sequence[Figures]) -> Roof | None:
    """Return the highest ceilings of any process, for operations and for bytes; None without a measurement."""
    flops_per_s = max((each.peak_flops_per_s for each in processes), default=0)
    bytes_per_s = max((each.peak_bytes_per_s for each in processes), default=0)
    return Roof(flops_per_s=flops_per_s, bytes_per_s=bytes_per_s) if flops_per_s > 0 and bytes_per_s > 0 else None


def compute_achieved(work: Work, call_ns: float, under: Roof) -> Achieved | None:
    """Compute the rates of a call; None if its operations, its bytes or its time are zero or unknown."""
    if not (work.flops and work.bytes and call_ns > 0):
        return None
    intensity, flops_per_s = work.flops / work.bytes, work.flops / call_ns * 1e9
    return Achieved(
        intensity=intensity,
        flops_per_s=flops_per_s,
        bytes_per_s=work.bytes / call_ns * 1e9,
        share=flops_per_s / under.flops_per_s_at(intensity),
    )
