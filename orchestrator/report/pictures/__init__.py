"""The pictures of a run: each a file with what Vega-Lite is to draw, and from what.

A picture's specification is the same for all groups, and stands in a page once. Where it says `$modes`, `$tones`,
`$dashes` or `$shapes`, the page puts the modes that are shown, and for each of them a colour, a dash and a marker; and
for `$height` as many rows as it has, for `$columns` as many as its legend has room for.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.statistics import Interval
from schemas.event import Report
from schemas.record import JobRecord

Spec: TypeAlias = dict[str, Any]
Value: TypeAlias = str | float | int | bool | None

DIGITS: Final = 4
"""Significant digits of what is drawn: finer than any screen, and half as long in the file."""

NARROW: Final = 4
"""So many modes fit into half a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a table or of what is drawn, shown while all these frameworks are."""

    cells: tuple[Value, ...]
    frameworks: tuple[str, ...] = ()
    workload: str | None = None
    task: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Text in columns; the first cell of each row is its heading."""

    headings: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture with its table. `finding` is for those who cannot see it, `reading` says how to read it."""

    kind: str
    title: str
    finding: str
    reading: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    table: Table
    modes: tuple[str, ...] = ()
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A group with the processes that its results rest on, by label."""

    group: Group
    processes: Mapping[str, Sequence[JobRecord]]

    @property
    def modes(self) -> tuple[str, ...]:
        """All labels: the ranked in their order, then the others."""
        ranked = [standing.cell for standing in self.group.standings]
        return tuple(dict.fromkeys([*ranked, *(result.label for result in self.group.results)]))

    @property
    def ranked(self) -> Iterator[tuple[Result, Sequence[JobRecord]]]:
        """The ranked cells in their order, with their processes."""
        for standing in self.group.standings:
            yield self.group.result(standing.cell), self.processes.get(standing.cell, ())

    def framework(self, label: str) -> str:
        """The framework of a label."""
        return self.group.result(label).cell.framework


def reports(records: Sequence[JobRecord]) -> list[Report]:
    """What these jobs measured."""
    return [record.report for record in records if record.report is not None]


def drawn(value: float | None) -> float | None:
    """A number as it is drawn; None where the data support none."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS - 1}e}")


def ends(interval: Interval) -> tuple[float | None, float | None]:
    """The ends of an interval of positive numbers, as they are drawn; both None where the data support none."""
    supported = interval.low > 0 and math.isfinite(interval.high)
    return (drawn(interval.low), drawn(interval.high)) if supported else (None, None)
