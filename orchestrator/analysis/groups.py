"""The groups of cells that compute the same, with the comparisons within each."""

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

from orchestrator.analysis.cell_summary import summarise_cell
from orchestrator.analysis.compare import MARGIN, Comparison, Scores, compare_all_and_some, compare_all_pairs
from orchestrator.analysis.costs.memory import score_memory_metric
from orchestrator.analysis.derivation.process import Job, Process, derive_processes
from orchestrator.analysis.nodes.comparison import NodesResult, compare_over_nodes
from orchestrator.analysis.nodes.nodes import Nodes
from orchestrator.analysis.nodes.run_nodes import find_nodes
from orchestrator.analysis.pairs import choose_pairs
from orchestrator.analysis.process_scores import group_by_cell, map_counted_memory, score_processes
from orchestrator.analysis.quality.flags import find_canary_floor_ns
from orchestrator.analysis.results import Group, LazyCurves, MemoryRanking, Result, count_blocks_for_ranks
from orchestrator.analysis.standings import compute_standings
from orchestrator.analysis.statistics.looks import PLANNED, LookRule
from orchestrator.records.labels import format_title, label_cells
from schemas.job import Cell
from schemas.sweep import ComparedPairs, MemoryMetric, RankBy


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules by which the cells of each group are compared; `nodes` is None if one machine measured all blocks."""

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
