"""Comparison along an axis: for each mode, the ratio of each value's time to the first value's, with all else equal.

Ratios are of times per call. Along `batch` they are of times per example, as a larger batch computes more in a call.
"""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from orchestrator.analysis.accuracy import Accuracy
from orchestrator.analysis.compare import MARGIN, Comparison, Scores, compare_pairs
from orchestrator.analysis.derivation.process import Job, Process
from orchestrator.analysis.process_scores import group_by_cell, score_processes
from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.statistics.looks import ALPHA, PLANNED, LookRule
from orchestrator.records.axes import (
    CELL_AXES,
    PRECISION,
    AxisValue,
    collect_series,
    find_floating_mode,
    get_axis_value,
)
from orchestrator.records.labels import format_title, shorten_paths
from schemas.job import Cell

Unit = Literal["call", "example"]

# The places of dtypes in a table along precisions, the last one first.
PLACES: Final = {"float64": 4, "float32": 3, "bfloat16": 2, "float16": 1}

# The value that others are compared with, where it is not the first.
USUAL_BASES: Final = {PRECISION: "float32"}

# Axes along which a call computes the same. Along any other axis, calls do different work.
SAME_WORK: Final = frozenset(CELL_AXES) - {"batch", "task", "shapes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisRow:
    """One mode at one value of the axis.

    `base` is the value that its mode is compared with; None: no value was measured. `comparison` is with the cell at
    that value; None for that cell, and where one of the two was not measured.
    """

    mode: str
    axis: str
    value: AxisValue
    base: AxisValue | None
    result: Result
    accuracy: Accuracy | None
    comparison: Comparison | None = None

    @property
    def name(self) -> str:
        """Return the name of the cell in its comparison, unique in its table."""
        return f"{self.mode}, {self.axis} {self.value}"

    @property
    def base_name(self) -> str:
        """Return the name of the cell that it is compared with."""
        return f"{self.mode}, {self.axis} {self.base}"

    @property
    def example_ns(self) -> float:
        """Return the time of one example of the batch in nanoseconds."""
        return self.result.floor_ns.estimate / self.result.cell.batch

    @property
    def speed_up(self) -> float:
        """Return the base's time over this value's; NaN without a comparison."""
        if self.value == self.base:
            return 1.0
        return 1 / self.comparison.ratio.estimate if self.comparison else math.nan

    @property
    def efficiency(self) -> float:
        """Return the speed-up over the growth of the value, such as the number of threads; NaN without one."""
        if not isinstance(self.value, int) or not isinstance(self.base, int):
            return math.nan
        return self.speed_up * self.base / self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisTable:
    """One computation along an axis: every mode at every value. Its comparisons are one family of tests.

    `unit` is the work whose times the ratios compare. `alpha` is the level of the intervals and tests.
    """

    title: str
    axis: str
    unit: Unit
    rows: tuple[AxisRow, ...]
    alpha: float = ALPHA

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Return the comparisons of all rows."""
        return tuple(row.comparison for row in self.rows if row.comparison is not None)

    @property
    def compared_ids(self) -> frozenset[str]:
        """Return the ids of the cells that have a ratio, and of those that the ratios refer to."""
        named = {name for found in self.comparisons for name in (found.baseline, found.cell)}
        return frozenset(row.result.cell.id for row in self.rows if row.name in named)


def compare_along_axis(
    groups: Iterable[Group],
    jobs: Iterable[Job],
    axis: str,
    baseline: str | None = None,
    margin: float = MARGIN,
    looks: LookRule = PLANNED,
) -> tuple[AxisTable, ...]:
    """Compare the cells of these groups along an axis: a table for each computation, with its modes in their order.

    `jobs` are last attempts. `baseline` is the value to compare with; any other text, and None, mean the first.
    `looks` decides the level of the tests.
    """
    results = {result.cell.id: result for group in groups for result in group.results}
    cells = [result.cell for result in results.values()]
    shown = shorten_paths(cell.environment for cell in cells) if axis == "environment" else {}
    of_cell, together = group_by_cell(jobs), defaultdict[str, list[AxisRow]](list)
    for series in map(partial(sort_series, axis=axis), collect_series(cells, axis)):
        rows = make_rows([results[cell.id] for cell in series], axis, baseline, shown)
        together[format_title(series[0], without=axis)].extend(rows)
    unit: Unit = "example" if axis == "batch" else "call"
    return tuple(compare_rows(title, axis, unit, rows, of_cell, margin, looks) for title, rows in together.items())


def sort_series(series: Sequence[Cell], axis: str) -> Sequence[Cell]:
    """Return the cells of a mode in the order of its table: as they were asked for, and precisions from high to low."""
    if axis != PRECISION:
        return series
    return sorted(series, key=lambda cell: (cell.is_quantised, -PLACES.get(cell.dtype, 0)))


def make_rows(
    results: Sequence[Result], axis: str, baseline: str | None, shown: Mapping[str, str]
) -> Iterator[AxisRow]:
    """Yield the rows of one mode, not yet compared. `shown` are the short forms of environments."""
    base = choose_base(results, axis, baseline)
    for result in results:
        yield AxisRow(
            # The label of a cell may contain its environment, which a row along environments has as its value.
            mode=name_row_mode(result, axis),
            axis=axis,
            value=find_value(result.cell, axis, shown),
            base=None if base is None else find_value(base.cell, axis, shown),
            result=result,
            accuracy=result.accuracy,
        )


def name_row_mode(result: Result, axis: str) -> str:
    """Return the name of the mode of a row: along precisions, that of the floating-point mode of one in 8 bits."""
    label = result.cell.label if axis == "environment" else result.label
    return (
        label.replace(f":{result.cell.mode}", f":{find_floating_mode(result.cell)}", 1) if axis == PRECISION else label
    )


def choose_base(results: Sequence[Result], axis: str, baseline: str | None) -> Result | None:
    """Return the result at the requested value, at the usual one, or the first, if it was measured or still may be."""
    hopeful = [each for each in results if each.outcome in ("measured", None)]
    due = USUAL_BASES.get(axis, "")
    asked = [each for each in hopeful if str(get_axis_value(each.cell, axis)) == baseline]
    usual = [each for each in hopeful if get_axis_value(each.cell, axis) == due]
    return next(iter([*asked, *usual, *hopeful]), None)


def find_value(cell: Cell, axis: str, shown: Mapping[str, str]) -> AxisValue:
    """Return the value of a cell on an axis, and of an interpreter's path the part that differs."""
    value = get_axis_value(cell, axis)
    assert value is not None
    return shown.get(value, value) if isinstance(value, str) else value


def compare_rows(
    title: str,
    axis: str,
    unit: Unit,
    rows: Sequence[AxisRow],
    processes: Mapping[str, Sequence[Process]],
    margin: float,
    looks: LookRule,
) -> AxisTable:
    """Return the rows of one computation with their comparisons, which are one family of tests."""
    scores = {
        row.name: score_units(processes[row.result.cell.id], row.result.cell, unit)
        for row in rows
        if row.result.outcome == "measured"
    }
    pairs = [
        (row.base_name, row.name)
        for row in rows
        if row.value != row.base and {row.base_name, row.name} <= scores.keys()
    ]
    alpha = looks.choose_alpha(len(pairs))
    found = {each.cell: each for each in compare_pairs(scores, pairs, margin=margin, alpha=alpha)}
    compared = (dataclasses.replace(row, comparison=found.get(row.name)) for row in rows)
    return AxisTable(title=title, axis=axis, unit=unit, rows=tuple(compared), alpha=alpha)


def score_units(processes: Iterable[Process], cell: Cell, unit: Unit) -> Scores:
    """Return the scores of a cell for one unit of its work: log seconds per call, or per example of its batch."""
    found, less = score_processes(processes), math.log(cell.batch) if unit == "example" else 0.0
    return dataclasses.replace(
        found,
        floor={block: score - less for block, score in found.floor.items()},
        typical={block: score - less for block, score in found.typical.items()},
        least={block: score - less for block, score in found.least.items()},
        samples={block: tuple(score - less for score in scores) for block, scores in found.samples.items()},
    )
