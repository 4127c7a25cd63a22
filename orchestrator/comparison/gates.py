"""Gates: limits on what a comparison may show, for a pipeline that needs a yes or a no."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from orchestrator.analysis.compare import CLAIMS
from orchestrator.analysis.costs.memory import METRIC_MEANINGS
from orchestrator.comparison.changes import Change, Ratio
from orchestrator.errors import UsageError, unknown_name_error
from schemas.sweep import MemoryMetric

GateOutcome = Literal["exceeded", "passed", "inconclusive"]

# Metrics that can be limited, each with the memory headline that it means; None means time.
METRICS: Final[dict[str, MemoryMetric | None]] = {
    "slower": None,
    "memory": "footprint",
    **{metric: metric for metric in METRIC_MEANINGS},
}


@dataclass(frozen=True, slots=True)
class Gate:
    """Limit on growth: `share` is 0.03 for three per cent."""

    name: str
    share: float

    @property
    def text(self) -> str:
        """The gate as it is written on the command line."""
        return f"{self.name}={100 * self.share:g}%"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """Result of one gate: the changes certainly beyond it, certainly within it, and neither."""

    gate: Gate
    beyond: tuple[Change, ...]
    within: tuple[Change, ...]
    open: tuple[Change, ...]

    @property
    def outcome(self) -> GateOutcome:
        """The outcome; inconclusive if not one cell is certainly beyond it or within it."""
        if self.beyond:
            return "exceeded"
        return "passed" if self.within else "inconclusive"


def parse_gate(text: str) -> Gate:
    """Parse `slower=3%`, `memory=5%` or `step_peak=10%`.

    Raises:
        UsageError: the text has another form, or there is no such metric.
    """
    # The number of digits is bounded: a longer number could be infinite.
    found = re.fullmatch(r"\s*([a-z_]+)\s*=\s*([0-9]{1,4}(?:\.[0-9]{1,6})?)\s*%\s*", text)
    if not found:
        raise UsageError(f"--fail-on {text[:40]!r}: should be a metric and a share, such as slower=3% or memory=5%")
    if found[1] not in METRICS:
        raise unknown_name_error("metric for --fail-on", found[1], METRICS)
    return Gate(found[1], float(found[2]) / 100)


def apply_gate(gate: Gate, changes: Sequence[Change]) -> GateResult:
    """Apply a gate to all changes. Only a claimed change counts, and only if its whole interval supports it."""
    beyond = [change for change in changes if is_beyond(gate, change)]
    within = [change for change in changes if change not in beyond and is_within(gate, change)]
    rest = [change for change in changes if change not in beyond and change not in within]
    return GateResult(gate=gate, beyond=tuple(beyond), within=tuple(within), open=tuple(rest))


def select_ratio(gate: Gate, change: Change) -> Ratio | None:
    """Return the ratio that a gate limits; None if it was not measured."""
    metric = METRICS[gate.name]
    return change.time if metric is None else change.memory.get(metric)


def is_beyond(gate: Gate, change: Change) -> bool:
    """Return whether a change is certainly beyond a gate. `slower` also needs a claimed verdict."""
    found = select_ratio(gate, change)
    if found is None or (gate.name == "slower" and change.verdict not in CLAIMS):
        return False
    return found.claimed.low > 1 + gate.share


def is_within(gate: Gate, change: Change) -> bool:
    """Return whether a change is certainly within a gate."""
    found = select_ratio(gate, change)
    return found is not None and found.claimed.high <= 1 + gate.share
