"""Gates: what a comparison must not show, for a program that has to say yes or no."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.analysis.compare import CLAIMS
from orchestrator.analysis.memory import MEANING
from orchestrator.analysis.runs import Change, Ratio
from orchestrator.errors import UsageError, unknown
from schemas.sweep import MemoryMetric

METRICS: Final[dict[str, MemoryMetric | None]] = {
    "slower": None,
    "memory": "footprint",
    **{metric: metric for metric in MEANING},
}
"""What may be limited, and the headline of memory that it means; None: time."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The most that something may grow: `share` is 0.03 for three per cent."""

    name: str
    share: float

    @property
    def said(self) -> str:
        """As it was asked for."""
        return f"{self.name}={100 * self.share:g}%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of one gate: changes that are beyond it for certain, within it for certain, and neither."""

    gate: Gate
    beyond: tuple[Change, ...]
    within: tuple[Change, ...]
    open: tuple[Change, ...]


def parse(text: str) -> Gate:
    """`slower=3%`, `memory=5%`, `step_peak=10%`.

    Raises:
        UsageError: it is not so written, or there is no such metric.
    """
    found = re.fullmatch(r"\s*([a-z_]+)\s*=\s*([0-9]{1,4}(?:\.[0-9]{1,6})?)\s*%\s*", text)
    if not found:
        raise UsageError(f"--fail-on {text[:40]!r}: should be a metric and a share, such as slower=3% or memory=5%")
    if found[1] not in METRICS:
        raise unknown("metric for --fail-on", found[1], METRICS)
    return Gate(found[1], float(found[2]) / 100)


def judge(gate: Gate, changes: Sequence[Change]) -> Judged:
    """Hold a gate against all changes. Only what is claimed counts, and only if its whole interval supports it."""
    beyond = [change for change in changes if fails(gate, change)]
    within = [change for change in changes if change not in beyond and holds(gate, change)]
    rest = [change for change in changes if change not in beyond and change not in within]
    return Judged(gate=gate, beyond=tuple(beyond), within=tuple(within), open=tuple(rest))


def ratio(gate: Gate, change: Change) -> Ratio | None:
    """The ratio that a gate limits; None if it was not measured."""
    metric = METRICS[gate.name]
    return change.time if metric is None else change.memory.get(metric)


def fails(gate: Gate, change: Change) -> bool:
    """Whether a change is beyond a gate for certain. A slower cell has to be claimed slower, too."""
    found = ratio(gate, change)
    if found is None or (gate.name == "slower" and change.verdict not in CLAIMS):
        return False
    return found.claimed.low > 1 + gate.share


def holds(gate: Gate, change: Change) -> bool:
    """Whether a change is within a gate for certain."""
    found = ratio(gate, change)
    return found is not None and found.claimed.high <= 1 + gate.share
