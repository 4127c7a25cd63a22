"""The stopping rule of a sweep: its goal, at one of the planned looks.

The goal is a precision, in which significance plays no part. A sweep that was asked for verdicts ends with them, and
its tests have the lower level that pays for this.
"""

import math
from collections import Counter
from collections.abc import Sequence

from orchestrator.analysis.axis import AxisTable, compare_along_axis
from orchestrator.analysis.compare import Comparison, Verdict
from orchestrator.analysis.derivation.process import Job, select_last_attempts
from orchestrator.analysis.groups import group_results
from orchestrator.analysis.results import Group
from orchestrator.analysis.statistics.looks import ALPHA, LOOKS, PLANNED, LookRule, blocks_needed, list_looks
from orchestrator.records.labels import format_title
from schemas.job import Cell
from schemas.sweep import Stop, SweepSpec


def has_reached_half_width(comparisons: Sequence[Comparison], target: float, *, baseline: str | None = None) -> bool:
    """Return True if every ratio (to `baseline`, if given) has at most the half-width `target` on the log scale."""
    return all(
        found.log_half_width <= target
        for found in comparisons
        if baseline is None or baseline in (found.baseline, found.cell)
    )


def should_stop(
    k: int,
    comparisons: Sequence[Comparison],
    target: float,
    *,
    baseline: str | None = None,
    alpha: float = ALPHA,
    ranked: int = 0,
) -> bool:
    """Return True if a sweep may end after `k` blocks: at a look with narrow enough intervals, or at the last look.

    `ranked` is the number of pairs on which ranks rest, if that is larger than the number of comparisons. A look does
    not count if it is too early for this number of pairs to reach significance.
    """
    # Significance plays no part here: stopping on it would make false claims common.
    if k >= LOOKS[-1]:
        return True
    if k not in list_looks(max(ranked, len(comparisons))) or k < blocks_needed(len(comparisons), alpha):
        return False
    return has_reached_half_width(comparisons, target, baseline=baseline)


def has_precise_times(group: Group, target: float) -> bool:
    """Return True if both ends of the interval of every measured time are within `target` of it on the log scale."""
    times = [each.floor_ns for each in group.results if each.outcome == "measured" and not each.cell.replica]
    # Too few processes support no interval, whose ends are then infinite.
    known = [time for time in times if time.low > 0 and time.high < math.inf]
    spreads = [max(time.high / time.estimate, time.estimate / time.low) for time in known]
    return len(known) == len(times) and all(math.log(spread) <= target for spread in spreads)


def has_reached_goal(
    spec: SweepSpec, cells: Sequence[Cell], jobs: Sequence[Job], block: int, looks: LookRule = PLANNED
) -> bool:
    """Return True if every group has reached the goal of its sweep, or if this look is the last.

    The goal is a precision, of its ratios or, without any, of its time. Significance plays no part in it. The other
    goal is a verdict on each pair: its looks are paid for by a lower level.
    """
    if block >= LOOKS[-1]:
        return True
    ranked = count_ranked_pairs(cells)
    if block not in list_looks(ranked):
        return False
    groups = group_sweep_results(spec, cells, jobs, looks)
    tables = find_axis_tables(spec, groups, jobs, looks)
    return all(
        have_pairs_reached_goal(each.comparisons, spec.stop, block, alpha=each.alpha, ranked=ranked) for each in tables
    ) and all(has_group_reached_goal(each, spec.stop, block, ranked) for each in leave_out_compared(groups, tables))


def count_ranked_pairs(cells: Sequence[Cell]) -> int:
    """Return the number of pairs on which ranks rest in the largest group of cells that compute the same."""
    sizes = Counter(format_title(cell) for cell in cells if not cell.replica)
    return math.comb(max(sizes.values(), default=0), 2)


def group_sweep_results(
    spec: SweepSpec, cells: Sequence[Cell], jobs: Sequence[Job], looks: LookRule = PLANNED
) -> tuple[Group, ...]:
    """Return the results of a sweep so far, with the pairs that it compares."""
    last = select_last_attempts(jobs)
    return group_results(last, cells, spec.baseline, spec.margin, compared=spec.pairs, looks=looks)


def find_axis_tables(
    spec: SweepSpec, groups: Sequence[Group], jobs: Sequence[Job], looks: LookRule = PLANNED
) -> tuple[AxisTable, ...]:
    """Return the tables along the axis that a sweep compares by; none without one."""
    if not spec.compare_by:
        return ()
    return compare_along_axis(groups, select_last_attempts(jobs), spec.compare_by, spec.baseline, spec.margin, looks)


def leave_out_compared(groups: Sequence[Group], tables: Sequence[AxisTable]) -> list[Group]:
    """Return the groups whose own precision counts: all but single cells that have a ratio along the axis."""
    compared = frozenset[str]().union(*(table.compared_ids for table in tables))
    return [
        each for each in groups if each.comparisons or not compared.issuperset(result.cell.id for result in each.ranked)
    ]


def has_group_reached_goal(group: Group, stop: Stop, block: int, ranked: int) -> bool:
    """Return True if one group has reached the goal of its sweep at this look."""
    if not group.comparisons:
        return has_precise_times(group, stop.precision)
    return have_pairs_reached_goal(
        group.comparisons, stop, block, baseline=group.baseline, alpha=group.alpha, ranked=ranked
    )


def have_pairs_reached_goal(
    comparisons: Sequence[Comparison], stop: Stop, block: int, *, baseline: str | None = None, alpha: float, ranked: int
) -> bool:
    """Return True if a family of pairs has reached the goal of its sweep at this look."""
    if stop.until == "verdict":
        return all(found.verdict is not Verdict.UNRESOLVED for found in comparisons)
    return should_stop(block, comparisons, stop.precision, baseline=baseline, alpha=alpha, ranked=ranked)


def describe_goal(spec: SweepSpec, cells: Sequence[Cell], jobs: Sequence[Job], looks: LookRule = PLANNED) -> str:
    """Describe the goal that a sweep has reached: its verdicts, or a precision."""
    found = group_sweep_results(spec, cells, jobs, looks)
    tables = find_axis_tables(spec, found, jobs, looks)
    groups = [each for each in leave_out_compared(found, tables) if each.standings]
    alone = sum(not each.comparisons for each in groups)
    if spec.stop.until == "precision" or alone == len(groups) + len(tables):
        return describe_precision(spec, cells, jobs, looks)
    more = f", and every time without a ratio is known to ±{100 * spec.stop.precision:g} %" if alone else ""
    return f"every pair has its verdict{more}"


def describe_precision(spec: SweepSpec, cells: Sequence[Cell], jobs: Sequence[Job], looks: LookRule = PLANNED) -> str:
    """Describe the precision that a sweep has reached, which may be less than was asked for.

    A cell that is compared with no other has no ratio. There the precision is that of its time.
    """
    target, found = spec.stop.precision, group_sweep_results(spec, cells, jobs, looks)
    tables = find_axis_tables(spec, found, jobs, looks)
    groups = [each for each in leave_out_compared(found, tables) if each.standings]
    pairs = [*(each.against.values() for each in groups), *(table.comparisons for table in tables)]
    widths = [pair.log_half_width for compared in pairs for pair in compared]
    alone = [each for each in groups if not each.comparisons]
    if max(widths, default=0.0) > target or not all(has_precise_times(each, target) for each in alone):
        return describe_shortfall(widths, target)
    return f"{name_quantities(len(groups) + len(tables), len(alone))} is known to ±{100 * target:g} %"


def name_quantities(groups: int, alone: int) -> str:
    """Name the quantities whose precision counts, in a sweep with groups or tables of which some have no ratio."""
    if alone == groups:
        return "the time" if alone == 1 else "every time"
    return "every ratio to the baseline" + (", and every time without a ratio," if alone else "")


def describe_shortfall(widths: Sequence[float], target: float) -> str:
    """Describe a precision below the requested one. `widths` are half-widths of ratios on the log scale."""
    widest, asked = max(widths, default=0.0), f"±{100 * target:g} %"
    if widest <= target:
        return f"the times are known less precisely than the requested {asked}"
    if widest == math.inf:
        return f"not every ratio to the baseline has an interval yet, and {asked} was requested"
    return f"the least precise ratio to the baseline is known to ±{100 * widest:.1f} %, and {asked} was requested"
