"""The numbers of nodes and blocks of a further sweep that makes a ratio over the type as precise as it was asked."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.analysis.derivation.process import Process
from orchestrator.analysis.nodes.comparison import NodesComparison, NodesResult
from orchestrator.analysis.statistics.variance_components import Costs, NodePlan, plan_nodes
from orchestrator.records.timestamps import parse_timestamp
from schemas.record import Manifest


@dataclass(frozen=True, slots=True)
class NextSweep:
    """A pair whose ratio over the type is not as precise as asked, and the sweep that makes it so; None: none does."""

    pair: NodesComparison
    plan: NodePlan | None


def plan_next_sweep(result: NodesResult, costs: Costs, half_width: float, alpha: float) -> NextSweep | None:
    """Return what the pair with the largest sweep needs; None if every ratio over the type is as precise as asked.

    `half_width` is that of a log ratio. A pair with too few nodes or blocks to know their spread is left out.
    """
    asked = (
        NextSweep(pair, plan_nodes(pair.components, costs, half_width, alpha))
        for pair in result.comparisons
        if pair.components and (pair.on_type is None or pair.on_type.log_half_width > half_width)
    )
    return max(asked, key=measure_size, default=None)


def measure_size(found: NextSweep) -> float:
    """Return the cost of a sweep; infinite if no sweep is enough."""
    return found.plan.cost if found.plan else float("inf")


def measure_costs(processes: Iterable[Process], manifest: Manifest) -> Costs | None:
    """Return the seconds that one more block takes, and that a node takes before its first one; None without any.

    Both are medians over what a run has measured. A node is waited for from the last time before its first job at which
    the run was begun or extended.
    """
    spans = find_spans(processes)
    begun = [to_seconds(when) for when in (manifest.started, *(each.when for each in manifest.extensions))]
    if not spans:
        return None
    firsts = [min(span.began_s for span in blocks.values()) for blocks in spans.values()]
    return Costs(
        block=statistics.median(span.ended_s - span.began_s for blocks in spans.values() for span in blocks.values()),
        # The clock of a node may be behind, and then nothing was waited for.
        node=statistics.median(
            first - max((when for when in begun if when <= first), default=first) for first in firsts
        ),
    )


@dataclass(slots=True)
class Span:
    """The time from the start of the first job of a block to the end of its last one, in seconds since the epoch."""

    began_s: float
    ended_s: float


def find_spans(processes: Iterable[Process]) -> dict[str, dict[int, Span]]:
    """Return the time of each block on each node."""
    spans: dict[str, dict[int, Span]] = {}
    for process in processes:
        began_s = to_seconds(process.started) if process.node and process.started else math.inf
        if began_s < math.inf:
            ended_s = began_s + (process.took_ns or 0) / 1e9
            span = spans.setdefault(process.node, {}).setdefault(process.block, Span(began_s, ended_s))
            span.began_s, span.ended_s = min(span.began_s, began_s), max(span.ended_s, ended_s)
    return spans


def to_seconds(timestamp: str) -> float:
    """Return the seconds since the epoch; infinite if it is no timestamp."""
    when = parse_timestamp(timestamp)
    return when.timestamp() if when else math.inf
