"""The common style of tables."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from orchestrator.format import format_ratio, format_ratio_range, to_printable

if TYPE_CHECKING:
    from orchestrator.analysis.statistics.intervals import Interval  # at run time it would import NumPy

# A terminal of at least this width has room for more than the standard columns.
WIDE = 100
# More columns than any table has: what a table would take if there were room.
UNBOUNDED = 10_000


def make_table(*columns: Column | str, title: str = "", bold: bool = False, gap: int = 0) -> Table:
    """Return an empty table with its title above it. `gap` adds to the one space between columns."""
    return Table(
        *columns,
        title=Text(to_printable(title)) if title else None,
        title_justify="left",
        title_style="bold" if bold else "",
        box=box.SIMPLE_HEAD,
        padding=(0, gap, 0, 0),
        show_edge=False,
    )


def number_columns(*headings: str) -> list[Column]:
    """Return columns of numbers: right-aligned, and never wrapped."""
    return [Column(heading, justify="right", no_wrap=True) for heading in headings]


def name_column(heading: str) -> Column:
    """Return a column of names, which are never wrapped."""
    return Column(heading, no_wrap=True)


@dataclass(frozen=True, slots=True)
class FittingTable:
    """A table in several versions, of which the first that fits the width of the screen is shown, or else the last.

    `draw_versions` yields them for a width, those with the most columns first.
    """

    draw_versions: Callable[[int], Iterator[Table]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the version that fits."""
        for drawn in self.draw_versions(options.max_width):
            best = drawn
            if Measurement.get(console, options.update(max_width=UNBOUNDED), drawn).maximum <= options.max_width:
                break
        yield best


def fold_verdict(verdict: str) -> str:
    """Return a verdict or an outcome, on two lines if it has more than one word."""
    head, dash, tail = verdict.partition("-")
    return f"{head}{dash}\n{tail}" if dash else head


def format_ratio_with_interval(interval: "Interval") -> str:
    """Return a ratio with its interval: `1.035 (1.010–1.066)`."""
    ends = format_ratio_range(interval, "–")
    return format_ratio(interval.estimate) + (f" ({ends})" if ends else "")
