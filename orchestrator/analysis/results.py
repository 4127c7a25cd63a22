"""Results from records: one for each cell, in the groups within which times may be compared."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.analysis.accuracy import Accuracy
from orchestrator.analysis.compare import Comparison, index_both_ways
from orchestrator.analysis.costs.cost_curve import CostCurve
from orchestrator.analysis.costs.generation import Generation
from orchestrator.analysis.costs.new_shapes import NewShapes
from orchestrator.analysis.costs.saved_models import ArtefactCosts
from orchestrator.analysis.costs.throughput import Throughput
from orchestrator.analysis.derivation.disturbance import Flag
from orchestrator.analysis.derivation.process import Process
from orchestrator.analysis.nodes.comparison import NodesResult
from orchestrator.analysis.process_scores import make_cost_curves
from orchestrator.analysis.quality.grades import Grade
from orchestrator.analysis.standings import Standing
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.analysis.statistics.looks import ALPHA, blocks_needed
from schemas.event import TensorCheck
from schemas.job import Cell
from schemas.models import Likeness, ModelSource
from schemas.record import Outcome
from schemas.sweep import MemoryMetric

Steadiness = Literal["flat", "warm-up", "slow-down", "none", "mixed", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One cell over all its processes; before the first process it has no outcome.

    Times are nanoseconds per call, with intervals over processes. `first_ns` is from the finished model to its first
    result, `steady_ns` from there until calls are steady. `latency_ns` holds percentiles of single calls, if they were
    timed. `overhead_ns` is the time of the timing loop per call; it is not subtracted from any other time. `label`
    names the cell in its sweep. `bounded_by_cpu_time`: calls longer than a time slice were interrupted in all samples
    of a process, so that its floor is known to lie between its CPU time and its fastest sample.
    """

    cell: Cell
    label: str
    jobs: int
    outcome: Outcome | None
    reason: str
    advice: str
    floor_ns: Interval
    typical_ns: Interval
    first_ns: Interval
    second_ns: Interval
    steady_ns: Interval
    steadiness: Steadiness
    latency_ns: Mapping[str, Interval]
    overhead_ns: float
    memory: Mapping[MemoryMetric, Interval]
    grade: Grade
    flags: frozenset[Flag]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    new_shapes: NewShapes | None
    portable: ArtefactCosts | None
    bounded_by_cpu_time: bool = False
    referee: str = ""
    """The framework whose float64 implementation verified the results; empty: an independent reference did."""
    only_agrees: bool = False
    """True if the referee could not run in float64, and float32 stands for it."""
    growth: Interval | None = None
    """The slope of memory over many calls, in bytes a call; None: the sweep did not ask for it."""
    generation: Generation | None = None
    """The calls of its loops by position; None: a call is no loop."""
    throughput: tuple[Throughput, ...] = ()
    """Requests a second with several clients at once; empty: the sweep did not ask for it."""
    growth_bytes: float = 0.0
    """Memory that each call keeps; 0: memory does not keep growing."""
    inputs_sha256: str = ""
    """The hash of its weights and inputs; empty: it has no report."""
    model: ModelSource | None = None
    """The user's model that it runs; None: a workload."""
    likeness: Likeness = dataclasses.field(default_factory=Likeness)
    """The comparison of its model with the first one of the sweep, and with the right answers."""
    accuracy: Accuracy | None = None
    """The errors of its results; None: nothing was compared."""
    sketched: tuple[TensorCheck, ...] = ()
    """The checks of its first results, with what is needed to compare these with another cell's; empty: not made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRanking:
    """The same cells ranked by a memory metric; `comparisons` hold ratios of bytes, and "faster" means fewer bytes."""

    metric: MemoryMetric
    comparisons: tuple[Comparison, ...]
    standings: tuple[Standing, ...]


class LazyCurves(Mapping[str, Mapping[int, CostCurve]]):
    """The cost curves of cells by label and block, each made when it is first asked for."""

    def __init__(self, processes: Mapping[str, Sequence[Process]]) -> None:
        self._processes, self._made = processes, dict[str, Mapping[int, CostCurve]]()

    def __getitem__(self, label: str) -> Mapping[int, CostCurve]:
        """Return the curves of one cell."""
        if label not in self._made:
            self._made[label] = make_cost_curves(self._processes[label])
        return self._made[label]

    def __iter__(self) -> Iterator[str]:
        """Yield the labels."""
        return iter(self._processes)

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self._processes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Cells with the same computation, and their comparisons.

    `comparisons` are the pairs that the sweep compares, as one family of tests. They decide when it may stop.
    `all_pairs` are those of every two ranked cells, as another family. `standings` rest on it, or on `comparisons`
    where it needs more blocks than there are. `curves` are those of the ranked cells' processes, by label and block.
    `by_memory` is set on request only.
    """

    title: str
    baseline: str
    results: tuple[Result, ...]
    comparisons: tuple[Comparison, ...]
    all_pairs: tuple[Comparison, ...]
    standings: tuple[Standing, ...]
    clone: Comparison | None
    curves: Mapping[str, Mapping[int, CostCurve]]
    by_memory: MemoryRanking | None
    alpha: float = ALPHA
    """The level of its intervals and tests."""
    unmeasured_baseline: str = ""
    """The cell that would be the baseline, had it been measured; empty: it was."""
    over_nodes: NodesResult | None = None
    """The compared pairs on each node and over nodes of their type; None: one machine measured all."""

    @property
    def pairs(self) -> dict[tuple[str, str], Comparison]:
        """Return the comparison of every two ranked cells by their labels, in either order; the first is the baseline.

        It is that of the compared pairs if it is one of them.
        """
        return index_both_ways(self.all_pairs) | index_both_ways(self.comparisons)

    @property
    def blocks_for_ranks(self) -> int:
        """Return the number of blocks that ranks need, if this group has fewer; 0 if it has enough."""
        return count_blocks_for_ranks(self.all_pairs, self.alpha)

    @property
    def against(self) -> dict[str, Comparison]:
        """Return each cell's comparison with the baseline, by label."""
        return {cell: comparison for (baseline, cell), comparison in self.pairs.items() if baseline == self.baseline}

    @property
    def ranked(self) -> tuple[Result, ...]:
        """Return the ranked cells, by rank."""
        return tuple(self.result(standing.cell) for standing in self.standings)

    @property
    def rows(self) -> Iterator[tuple[Result, Standing | None, Comparison | None]]:
        """Yield the ranked cells by rank, then the others, each with its standing and its comparison if it has them.

        A cell is compared with the baseline, and the A/A clone with its original.
        """
        found = self.against | ({self.clone.cell: self.clone} if self.clone else {})
        places = {standing.cell: standing for standing in self.standings}
        for result in (*self.ranked, *(each for each in self.results if each.label not in places)):
            yield result, places.get(result.label), found.get(result.label)

    @property
    def referee(self) -> str:
        """Return the framework that verified the results, or several; empty if an independent reference did."""
        return " and ".join(dict.fromkeys(result.referee for result in self.results if result.referee))

    @property
    def referee_dtype(self) -> str:
        """Return the dtype in which the referee ran."""
        return "float32" if any(result.only_agrees for result in self.results) else "float64"

    def result(self, label: str) -> Result:
        """Return the result with this label."""
        return next(result for result in self.results if result.label == label)


def count_blocks_for_ranks(all_pairs: Sequence[Comparison], alpha: float) -> int:
    """Return the number of blocks that ranks by all pairs need, if one of the pairs has fewer; 0 if all have enough."""
    needed = blocks_needed(len(all_pairs), alpha)
    return needed if any(each.blocks < needed for each in all_pairs) else 0
