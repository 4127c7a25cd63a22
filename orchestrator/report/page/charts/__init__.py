"""The charts of a run. Each module holds one chart's Vega-Lite specification and derives its data.

All groups share a chart's specification, which a page contains once. The page fills its placeholders:
- `$modes`: the modes shown; `$tones`, `$dashes` and `$shapes`: a colour, a dash and a marker for each of them
- `$height`: the height of its rows; `$columns`: the number of columns that fit in its legend
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from orchestrator.analysis.derivation.process import Process
from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.run import Run
from orchestrator.analysis.statistics.intervals import Interval
from schemas.event import PhaseName
from schemas.job import Cell

Spec: TypeAlias = dict[str, Any]
Value: TypeAlias = str | float | int | bool | None

# Four significant digits are finer than any screen and halve the file.
SIGNIFICANT_DIGITS: Final = 4

# More modes than this do not fit in half the width of a page.
MAX_NARROW_MODES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartRow:
    """One row of a table or of a chart's data. The page shows it while none of its frameworks is filtered out."""

    cells: tuple[Value, ...]
    frameworks: tuple[str, ...] = ()
    workload: str | None = None
    task: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Text in columns; the first cell of each row is its heading."""

    headings: tuple[str, ...]
    rows: tuple[ChartRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart with its table. `finding` puts its result into words for screen readers; `reading` is its caption."""

    kind: str
    title: str
    finding: str
    reading: str
    columns: tuple[str, ...]
    rows: tuple[ChartRow, ...]
    table: Table
    modes: tuple[str, ...] = ()
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A group, with the processes behind its results by label."""

    group: Group
    processes: Mapping[str, Sequence[Process]]

    @property
    def modes(self) -> tuple[str, ...]:
        """Return all labels: the ranked ones in order, then the rest."""
        return tuple(dict.fromkeys(result.label for result in (*self.group.ranked, *self.group.results)))

    @property
    def ranked_results(self) -> Iterator[tuple[Result, Sequence[Process]]]:
        """Return the ranked cells in order, each with its processes."""
        return ((result, self.processes.get(result.label, ())) for result in self.group.ranked)

    def make_row(self, cells: tuple[Value, ...], *labels: str) -> ChartRow:
        """Make a row about these modes."""
        return make_row(cells, *map(self.group.result, labels))


def make_section(group: Group, run: Run) -> Section:
    """Return a group of a run with its measured processes."""
    return Section(group, {result.label: run.measured_jobs.get(result.cell.id, ()) for result in group.results})


def make_row(cells: tuple[Value, ...], *results: Result) -> ChartRow:
    """Make a row about these results, which is shown while none of their frameworks is filtered out."""
    return ChartRow(cells=cells, frameworks=tuple(result.cell.framework for result in results))


def make_cell_row(cells: tuple[Value, ...], cell: Cell) -> ChartRow:
    """Make a row about a cell, which is shown while none of its framework, workload and task is filtered out."""
    return ChartRow(cells=cells, frameworks=(cell.framework,), workload=cell.workload, task=cell.task)


def format_phase(phase: PhaseName) -> str:
    """Format the name of a phase."""
    return phase.replace("_", " ")


def to_chart_number(value: float | None) -> float | None:
    """Round a number for drawing. Return None where it is missing or not finite."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{SIGNIFICANT_DIGITS - 1}e}")


def to_chart_interval(interval: Interval) -> tuple[float | None, float | None]:
    """Round the ends of an interval of positive numbers. Return None for both where the data do not support them."""
    # A logarithmic axis has no place for an end at or below zero.
    supported = interval.low > 0 and math.isfinite(interval.high)
    return (to_chart_number(interval.low), to_chart_number(interval.high)) if supported else (None, None)
