"""The overview of a run with several computations: a matrix of computations and modes.

A square holds the time of the baseline, the ratio of another mode to it, or the outcome of a mode that was not
measured. Signs tell claims from estimates and mark the fastest modes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Column, Table
from rich.text import Text

from orchestrator.analysis.compare import Comparison, Verdict
from orchestrator.analysis.results import Group, Result
from orchestrator.format import format_duration, to_printable
from orchestrator.records.labels import describe_computations
from orchestrator.report.tables import make_table

# The sign after a ratio, by its verdict; a ratio without a sign is claimed.
SIGNS: Final[Mapping[Verdict, str]] = {
    Verdict.FASTER: "",
    Verdict.SLOWER: "",
    Verdict.DIFFERENT_BUT_SMALL: "~",
    Verdict.EQUIVALENT: "=",
    Verdict.UNRESOLVED: "?",
    Verdict.ESTIMATOR_DEPENDENT: "?",
}
FASTEST: Final = "*"
SIGN_MEANINGS: Final[Mapping[str, str]] = {
    FASTEST: "fastest, or not told apart from the fastest",
    "?": "an estimate without a claim",
    "=": "as fast",
    "~": "different by too little to matter",
}
TITLE: Final = "Time per call by computation and mode"


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """One mode in one computation, as short as a column is narrow. `is_estimate`: its ratio carries no claim."""

    text: str = ""
    sign: str = ""
    is_fastest: bool = False
    is_estimate: bool = False
    is_failed: bool = False

    @property
    def shown(self) -> str:
        """The text with its signs."""
        return f"{self.text}{self.sign}{FASTEST if self.is_fastest else ''}"


@dataclass(frozen=True, slots=True)
class OverviewRow:
    """One computation: its name among the others, and a square for each mode of the overview."""

    name: str
    group: Group
    squares: tuple[Square, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """The matrix. Its modes are columns, in the order in which the sweep names them.

    Printed with rich, it takes as many tables below each other as the width requires, or only the first of them.
    """

    modes: tuple[str, ...]
    rows: tuple[OverviewRow, ...]
    is_single: bool = False

    @property
    def legend(self) -> str:
        """The meaning of times, ratios and the signs that occur."""
        signs = {sign for row in self.rows for square in row.squares for sign in square.shown[-2:]}
        said = [f"{sign} {meaning}" for sign, meaning in SIGN_MEANINGS.items() if sign in signs]
        return "; ".join(("A time is the baseline's, a number the ratio to it (below 1: faster)", *said)) + "."

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the tables and the legend."""
        for drawn in self.draw_tables(options.max_width):
            yield drawn
            if self.is_single:
                break
        yield Text(self.legend, style="dim")

    def draw_tables(self, width: int) -> Iterator[Table]:
        """Yield tables of this width at most, each with as many modes as fit, and with at least one."""
        widths, first = [self.measure_column(place) for place in range(len(self.modes))], 0
        # Long names are wrapped, or no mode would fit beside them.
        names = min(max((len(row.name) for row in self.rows), default=0), width // 2)
        while first < len(self.modes):
            used, last = names + 1 + widths[first], first + 1
            while last < len(self.modes) and used + widths[last] <= width:
                used, last = used + widths[last], last + 1
            yield self.draw_table(range(first, last), names, "" if first else TITLE)
            first = last

    def measure_column(self, place: int) -> int:
        """Return the width of a mode's column, with the space before the next."""
        texts = [fold_mode(self.modes[place]), *(fold_outcome(row.squares[place].shown) for row in self.rows)]
        return 1 + max(len(line) for text in texts for line in text.splitlines() or [""])

    def draw_table(self, places: Sequence[int], names: int, title: str) -> Table:
        """Draw the columns of some modes; the names of computations take up to `names` characters."""
        headings = [Text(fold_mode(self.modes[place])) for place in places]
        columns = [Column(heading, justify="right", no_wrap=True) for heading in headings]
        drawn = make_table(Column("", max_width=names), *columns, title=title, bold=True)
        for row in self.rows:
            drawn.add_row(Text(row.name), *(style_square(row.squares[place]) for place in places))
        return drawn


def build_overview(groups: Sequence[Group], *, is_single: bool = False) -> Overview:
    """Return the overview of these groups, without A/A clones."""
    every = [result for group in groups for result in group.results if not result.cell.replica]
    modes = tuple(dict.fromkeys(result.label for result in every))
    names = describe_computations(result.cell for group in groups for result in group.results)
    rows = tuple(
        OverviewRow(to_printable(names[group.results[0].cell.id]), group, make_squares(group, modes))
        for group in groups
    )
    return Overview(modes, rows, is_single)


def make_squares(group: Group, modes: Sequence[str]) -> tuple[Square, ...]:
    """Return the squares of one computation."""
    found = {result.label: (result, comparison) for result, _, comparison in group.rows if not result.cell.replica}
    fastest = find_fastest_labels(group)
    return tuple(make_square(group, *found[mode], fastest) if mode in found else Square() for mode in modes)


def find_fastest_labels(group: Group) -> frozenset[str]:
    """Return the modes that may be the fastest; none while the run tells no mode from another."""
    first = frozenset(standing.cell for standing in group.standings if standing.best == 1)
    return first if len(first) < len(group.standings) else frozenset()


def make_square(group: Group, result: Result, comparison: Comparison | None, fastest: frozenset[str]) -> Square:
    """Return the square of one mode."""
    if result.outcome != "measured":
        return Square(text=result.outcome or "", is_failed=result.outcome is not None)
    is_fastest = result.label in fastest
    if comparison is None or result.label == group.baseline:
        return Square(text=format_duration(result.floor_ns.estimate), is_fastest=is_fastest)
    sign = SIGNS[comparison.verdict]
    return Square(
        text=format_short_ratio(comparison.ratio.estimate), sign=sign, is_fastest=is_fastest, is_estimate=sign == "?"
    )


def format_short_ratio(value: float) -> str:
    """Return a ratio with two decimals, or without any if it is large: `1.13`, `12.3`, `406`."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def fold_mode(label: str) -> str:
    """Return the name of a mode on two lines: its framework and its mode."""
    head, colon, mode = to_printable(label).rpartition(":")
    return f"{head}{colon}\n{mode}" if head else mode


def fold_outcome(text: str) -> str:
    """Return an outcome on several lines, so that `overhead-dominated` takes no more width than a time."""
    return text.replace("-", "-\n")


def style_square(square: Square) -> Text:
    """Return the text of a square: the fastest in bold, estimates dim, and failures in red."""
    style = "bold red" if square.is_failed else "bold" if square.is_fastest else "dim" if square.is_estimate else ""
    return Text(fold_outcome(square.shown), style=style)
