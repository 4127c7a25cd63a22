"""Results from records: one for each cell, in the groups within which times may be compared."""

import dataclasses
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, combinations
from typing import Any, Literal

from orchestrator.analysis.compare import (
    MARGIN,
    Comparison,
    Scores,
    Standing,
    compare_all_and_some,
    compare_all_pairs,
    compute_standings,
    index_both_ways,
)
from orchestrator.analysis.costs.cost_curve import CostCurve
from orchestrator.analysis.costs.memory import score_memory_metric, summarise_memory_metrics
from orchestrator.analysis.costs.new_shapes import NewShapes, summarise_new_shapes
from orchestrator.analysis.costs.saved_models import ArtefactCosts, summarise_artefact
from orchestrator.analysis.derivation.disturbance import Flag
from orchestrator.analysis.derivation.process import Figures, Job, Process, derive_processes, read_sketches
from orchestrator.analysis.derivation.steady_state import Kind
from orchestrator.analysis.latency import summarise_percentiles
from orchestrator.analysis.nodes.comparison import NodesResult, compare_over_nodes
from orchestrator.analysis.nodes.nodes import Nodes
from orchestrator.analysis.nodes.run_nodes import find_nodes
from orchestrator.analysis.pairs import choose_pairs
from orchestrator.analysis.process_scores import (
    collect_figures,
    collect_settling_times_ns,
    group_by_cell,
    make_cost_curves,
    map_counted_memory,
    score_processes,
    select_fresh,
    select_measured_jobs,
)
from orchestrator.analysis.quality.flags import find_canary_floor_ns, find_flags
from orchestrator.analysis.quality.grades import Grade, grade_cell, is_drifting
from orchestrator.analysis.quality.starts import describe_starts
from orchestrator.analysis.statistics.intervals import Interval, median_interval
from orchestrator.analysis.statistics.looks import ALPHA, PLANNED, LookRule, blocks_needed
from orchestrator.records.labels import format_title, label_cells
from orchestrator.records.outcomes import MAX_FAILURES, RERUN_OUTCOMES
from schemas.event import TensorCheck
from schemas.job import Cell
from schemas.models import Likeness, ModelSource
from schemas.record import Outcome
from schemas.sweep import ComparedPairs, MemoryMetric, RankBy

Steadiness = Literal["flat", "warm-up", "slow-down", "none", "mixed", "unknown"]
# The share of a cell's processes that must be steady in the same way; otherwise the cell is `mixed`.
AGREEING_SHARE = 0.9

# The first of these outcomes that occurred is the outcome of the cell; without any, the latest is.
DECISIVE_OUTCOMES: tuple[Outcome, ...] = (
    "wrong",
    "unfair",
    "implausible",
    "recompiled",
    "overhead-dominated",
    "unsupported",
    "measured",
)


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
    growth_bytes: float = 0.0
    """Memory that each call keeps; 0: memory does not keep growing."""
    inputs_sha256: str = ""
    """The hash of its weights and inputs; empty: it has no report."""
    model: ModelSource | None = None
    """The user's model that it runs; None: a workload."""
    likeness: Likeness = dataclasses.field(default_factory=Likeness)
    """The comparison of its model with the first one of the sweep, and with the right answers."""
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


@dataclass(frozen=True, slots=True)
class Rules:
    """How the cells of each group are compared; `nodes` is None if one machine measured all blocks."""

    margin: float
    compared: ComparedPairs
    looks: LookRule
    nodes: Nodes | None


def group_results(
    jobs: Sequence[Job],
    cells: Sequence[Cell],
    baseline: str | None = None,
    margin: float = MARGIN,
    rank_by: RankBy = "time",
    compared: ComparedPairs = "asked",
    looks: LookRule = PLANNED,
) -> tuple[Group, ...]:
    """Compute the results of all cells, in the order of the plan, grouped by their computation.

    `jobs` are last attempts: an earlier attempt at a job does not count. `looks` decides the level of the tests.
    """
    processes = derive_processes(jobs)
    of_cell: dict[str, list[Process]] = {cell.id: [] for cell in cells} | group_by_cell(processes)
    together, canary_ns, called = defaultdict(list), find_canary_floor_ns(processes), label_cells(cells)
    for cell in cells:
        together[format_title(cell)].append(summarise_cell(cell, of_cell[cell.id], canary_ns, called[cell.id]))
    rules = Rules(margin, compared, looks, find_nodes(processes))
    found = (compare_group(name, results, of_cell, baseline, rules) for name, results in together.items())
    if rank_by == "time":
        return tuple(found)
    return tuple(dataclasses.replace(each, by_memory=rank_by_memory(each, of_cell, rank_by, margin)) for each in found)


def summarise_cell(cell: Cell, jobs: Sequence[Job], canary_ns: float, label: str = "") -> Result:
    """Return one cell's result from its jobs; there may be none yet."""
    processes = derive_processes(jobs)
    deciding = select_deciding_job(processes)
    outcome, reason, advice = (deciding.outcome, deciding.reason, deciding.advice) if deciding else (None, "", "")
    starts = describe_starts(processes)
    processes = select_measured_jobs(processes) if outcome == "measured" else processes
    figures = collect_figures(processes)
    grade, flags = assess_disturbance(processes, canary_ns)
    return Result(
        cell=cell,
        label=label or cell.label,
        jobs=len(processes),
        outcome=outcome,
        reason=reason,
        advice=advice,
        **summarise_times(figures),
        grade=grade,
        flags=flags,
        warnings=tuple(dict.fromkeys(chain.from_iterable(each.warnings for each in figures))),
        notes=tuple(dict.fromkeys([*chain.from_iterable(map(list_notes, figures)), *starts])),
        new_shapes=summarise_new_shapes(each.new_shapes for each in figures),
        portable=summarise_artefact(processes),
        model=next((each.model for each in processes), None),
        **summarise_verification(figures),
    )


def summarise_times(figures: Sequence[Figures]) -> dict[str, Any]:
    """Return the times and the memory of a cell by the names of the fields of its result."""
    started = select_fresh(figures)
    return {
        "floor_ns": median_interval([each.floor_ns for each in figures]),
        "typical_ns": median_interval([each.typical_ns for each in figures]),
        "first_ns": median_interval([each.first_result_ns for each in started]),
        "second_ns": median_interval([each.second_ns for each in started]),
        "steady_ns": median_interval(collect_settling_times_ns(started)),
        "steadiness": classify_steadiness([each.steady for each in figures]),
        "latency_ns": summarise_percentiles([each.percentiles for each in figures]),
        "overhead_ns": find_median([each.null_ns for each in figures]),
        "memory": summarise_memory_metrics([each.memory for each in figures if each.memory]),
    }


def summarise_verification(figures: Sequence[Figures]) -> dict[str, Any]:
    """Return what was verified of a cell, and what bounds its figures, by the names of the fields of its result."""
    return {
        "bounded_by_cpu_time": any(each.bounded_by_cpu_time for each in figures),
        "referee": next((each.referee for each in figures), ""),
        "only_agrees": any(each.agreement for each in figures),
        "growth_bytes": find_median([each.growth_bytes for each in figures] or [0.0]),
        "inputs_sha256": next((each.inputs_sha256 for each in figures), ""),
        "likeness": next((each.likeness for each in figures), Likeness()),
        "sketched": next(filter(None, map(read_sketches, figures)), ()),
    }


def list_notes(figures: Figures) -> list[str]:
    """Return what a reader of a job's results must know, in sentences."""
    checked = f"Only agreement in float32 is checked: {figures.agreement}." if figures.agreement else ""
    return [*([checked] if checked else []), *figures.notes]


def find_median(values: Sequence[float]) -> float:
    """Return the median; NaN without values."""
    return statistics.median(values) if values else math.nan


def assess_disturbance(processes: Sequence[Process], canary_ns: float) -> tuple[Grade, frozenset[Flag]]:
    """Return the grade of a cell and all its flags, from its processes with a report."""
    reported = [process for process in processes if process.figures is not None]
    flagged = [find_flags(process, canary_ns) for process in reported]
    drift = is_drifting([figures.floor_ns for figures in collect_figures(reported)])
    return grade_cell(flagged, drift=drift), frozenset().union(*flagged, {Flag.DRIFT} if drift else ())


def select_deciding_job(jobs: Sequence[Job]) -> Process | None:
    """Return the job whose outcome is the outcome of the cell; None without jobs."""
    processes = derive_processes(jobs)
    # A cell with this many failures is given up, and so not measured, even if earlier jobs were.
    failed = [each for each in processes if each.outcome not in {*DECISIVE_OUTCOMES, *RERUN_OUTCOMES, "skipped"}]
    if len(failed) >= MAX_FAILURES:
        return failed[-1]
    for outcome in DECISIVE_OUTCOMES:
        for process in processes:
            if process.outcome == outcome:
                return process
    return processes[-1] if processes else None


def compare_group(
    name: str, results: Sequence[Result], processes: Mapping[str, Sequence[Process]], baseline: str | None, rules: Rules
) -> Group:
    """Compare the measured cells of one group with each other, and the A/A clone with its original."""
    measured = [each for each in results if each.outcome == "measured"]
    scores = {each.cell.id: score_processes(processes[each.cell.id]) for each in measured}
    ranked = [each for each in measured if not each.cell.replica]
    of_label = {each.label: scores[each.cell.id] for each in ranked}
    chosen = choose_baseline(results, baseline)
    pairs = choose_pairs({each.label: each.cell for each in ranked}, chosen, rules.compared)
    alpha = rules.looks.choose_alpha(len(pairs))
    found = compare_scores(of_label, pairs, pair_clone(measured, scores), rules, alpha)
    # The number of blocks chooses the family, not the data, so its level holds.
    family = found.all_pairs if count_blocks_for_ranks(found.all_pairs, alpha) == 0 else found.comparisons
    return Group(
        title=name,
        baseline=chosen,
        results=tuple(results),
        comparisons=found.comparisons,
        all_pairs=found.all_pairs,
        standings=compute_standings([each.label for each in ranked], family, found.all_pairs),
        clone=found.clone,
        curves=LazyCurves({each.label: processes[each.cell.id] for each in ranked}),
        by_memory=None,
        alpha=alpha,
        unmeasured_baseline=find_unmeasured_baseline(results, baseline, chosen),
        over_nodes=found.over_nodes,
    )


@dataclass(frozen=True, slots=True)
class ComparedScores:
    """The comparisons of a group: those of every two cells, the compared ones, and the clone with its original."""

    all_pairs: tuple[Comparison, ...]
    comparisons: tuple[Comparison, ...]
    clone: Comparison | None
    over_nodes: NodesResult | None = None


def compare_scores(
    of_label: Mapping[str, Scores],
    pairs: Sequence[tuple[str, str]],
    twins: Mapping[str, Scores],
    rules: Rules,
    alpha: float,
) -> ComparedScores:
    """Compare the cells of a group, by label, and the original with its clone in `twins`; over nodes if it has any."""
    if rules.nodes is None:
        every, some = compare_all_and_some(of_label, pairs, margin=rules.margin, alpha=alpha)
        return ComparedScores(every, some, next(iter(compare_all_pairs(twins, margin=rules.margin)), None))
    by_node = partial(compare_over_nodes, nodes=rules.nodes, margin=rules.margin, alpha=alpha)
    some_by_node = by_node({**of_label, **twins}, pairs, clone=next(combinations(twins, 2), None))
    return ComparedScores(
        list_on_nodes(by_node(of_label, list(combinations(of_label, 2)))),
        list_on_nodes(some_by_node),
        some_by_node.clone.on_nodes if some_by_node.clone else None,
        some_by_node,
    )


def list_on_nodes(result: NodesResult) -> tuple[Comparison, ...]:
    """Return the comparisons on the nodes that were measured."""
    return tuple(found.on_nodes for found in result.comparisons)


def count_blocks_for_ranks(all_pairs: Sequence[Comparison], alpha: float) -> int:
    """Return the number of blocks that ranks by all pairs need, if one of the pairs has fewer; 0 if all have enough."""
    needed = blocks_needed(len(all_pairs), alpha)
    return needed if any(each.blocks < needed for each in all_pairs) else 0


def rank_by_memory(
    group: Group, processes: Mapping[str, Sequence[Process]], metric: MemoryMetric, margin: float
) -> MemoryRanking:
    """Rank a group's measured cells by a memory metric, with the same statistics as times."""
    found = {
        result.label: score_memory_metric(map_counted_memory(processes[result.cell.id]), metric)
        for result in group.ranked
    }
    comparisons = compare_all_pairs({label: Scores(of, of) for label, of in found.items() if of}, margin=margin)
    return MemoryRanking(
        metric=metric,
        comparisons=comparisons,
        standings=compute_standings([label for label in found if found[label]], comparisons),
    )


def choose_baseline(results: Sequence[Result], asked: str | None) -> str:
    """Return the requested baseline, or else the first cell that was measured or still may be."""
    hopeful = [each.label for each in results if each.outcome in ("measured", None) and not each.cell.replica]
    return asked if asked in hopeful else next(iter(hopeful), "")


def find_unmeasured_baseline(results: Sequence[Result], asked: str | None, chosen: str) -> str:
    """Return the cell that is the baseline by the request, if another one had to be chosen; empty otherwise."""
    labels = [each.label for each in results if not each.cell.replica]
    due = asked if asked in labels else next(iter(labels), "")
    return due if chosen and due and due != chosen else ""


def pair_clone(measured: Sequence[Result], scores: Mapping[str, Scores]) -> dict[str, Scores]:
    """Return the scores of the original and its A/A clone, in this order; empty unless both were measured."""
    by_cell = {each.cell.id: each for each in measured}
    for twin in measured:
        original = by_cell.get(twin.cell.model_copy(update={"replica": 0}).id)
        if twin.cell.replica and original is not None:
            return {each.label: scores[each.cell.id] for each in (original, twin)}
    return {}


def classify_steadiness(classes: Sequence[Kind]) -> Steadiness:
    """Return the class of nine processes in ten; `mixed` without such a class, `unknown` without processes."""
    kinds = Counter(classes)
    if not kinds:
        return "unknown"
    kind, count = kinds.most_common(1)[0]
    settled = kinds["flat"] + kinds["warm-up"]
    if settled >= AGREEING_SHARE * len(classes):
        return "flat" if kinds["flat"] >= AGREEING_SHARE * len(classes) else "warm-up"
    return kind if count >= AGREEING_SHARE * len(classes) else "mixed"
