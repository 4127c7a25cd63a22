"""The memory of each mode as a table, with intervals over processes."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.analysis.compare import index_both_ways
from orchestrator.analysis.costs.memory import METRIC_MEANINGS
from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.standings import Standing
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.format import fold_label, format_rank, format_ratio, format_ratio_range, format_size
from orchestrator.report.tables import FittingTable, make_table, name_column, number_columns
from schemas.sweep import MemoryMetric

# Metrics that a narrow terminal goes without, the first one first, unless modes are ranked by one of them.
DISPENSABLE: tuple[MemoryMetric, ...] = ("import", "static", "compile_peak", "footprint")


def build_tables(group: Group) -> Iterator[RenderableType]:
    """Yield the table of one group; none if no process could measure its memory."""
    if any(result.memory for result in group.results):
        yield FittingTable(partial(draw_versions, group))


def draw_versions(group: Group, _: int) -> Iterator[Table]:
    """Yield the table with all metrics, then without one after the other."""
    shown = list_metrics(group.results)
    asked = group.by_memory.metric if group.by_memory else None
    yield draw_table(group, shown)
    for metric in DISPENSABLE:
        if metric in shown and metric != asked:
            shown = [each for each in shown if each != metric]
            if shown:
                yield draw_table(group, shown)


def draw_table(group: Group, shown: Sequence[MemoryMetric]) -> Table:
    """Draw the table of these metrics."""
    order = group.by_memory.standings if group.by_memory else group.standings
    ranks, title = (("rank", "ratio"), f"ranked by {group.by_memory.metric}") if group.by_memory else ((), "")
    headings = (*(metric.replace("_", "\n") for metric in shown), *ranks)
    drawn = make_table(name_column("memory"), *number_columns(*headings), title=title)
    for standing in order:
        result = group.result(standing.cell)
        cells = [format_memory_metric(result, metric) for metric in shown]
        drawn.add_row(Text(fold_label(result.label)), *cells, *format_rank_cells(group, standing))
    return drawn


def list_metrics(results: Iterable[Result]) -> list[MemoryMetric]:
    """Return the memory metrics that any of these cells has, in order."""
    there = {metric for result in results for metric in result.memory}
    return [metric for metric in METRIC_MEANINGS if metric in there]


def format_memory_metric(result: Result, metric: MemoryMetric) -> str:
    """Return a memory metric above its interval; a dash if it was not measured."""
    interval = result.memory.get(metric)
    if interval is None:
        return "–"
    ends = format_spread(interval)
    return format_size(interval.estimate) + (f"\n{ends}" if ends else "")


def format_spread(interval: Interval) -> str:
    """Return the distance from an estimate to the farther end of its interval: `±1.2 MiB`."""
    far = max(interval.high - interval.estimate, interval.estimate - interval.low)
    return f"±{format_size(far)}" if far < float("inf") else ""


def format_rank_cells(group: Group, standing: Standing) -> list[str]:
    """Return the rank and the ratio to the least, if the group is ranked by memory."""
    if group.by_memory is None:
        return []
    least = group.by_memory.standings[0].cell
    place = format_rank(standing.best, standing.worst)
    found = index_both_ways(group.by_memory.comparisons).get((least, standing.cell))
    # The least is not compared with itself.
    if found is None:
        return [place, "1"]
    ends = format_ratio_range(found.ratio, "–")
    return [place, format_ratio(found.ratio.estimate) + (f"\n{ends}" if ends else "")]
