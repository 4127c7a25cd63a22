"""The history of cells on a terminal: one table of cells, or one table of runs for each chosen cell."""

from collections.abc import Iterator
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.comparison.history import CellHistory, History, TypeHistory
from orchestrator.comparison.steps import Point, Step
from orchestrator.format import fold_label, format_duration, format_ratio, format_ratio_range, to_printable
from orchestrator.records.timestamps import format_day
from orchestrator.report.history.sentences import (
    count_runs,
    describe_history,
    describe_skipped,
    describe_type,
    format_commit,
    format_version,
    name_cell,
)
from orchestrator.report.job.sparkline import plot_log_bars
from orchestrator.report.tables import make_table, name_column, number_columns

# Characters of the row of bars in a summary.
TREND_WIDTH = 20


def show_history(console: Console, history: History, *, details: bool) -> None:
    """Print a part for each type of machine. Fits 80 columns. With `details`, each cell has a table of its runs."""
    # Everything is printed as Text: Rich would read brackets in a plain string as markup.
    for each in history.types:
        console.print(Text(describe_type(each), style="bold"))
        for drawn in draw_details(each) if details else draw_summaries(each):
            console.print()
            console.print(drawn)
        console.print()
        for sentence in describe_history(each, history.alpha):
            console.print(Text(f"• {sentence}"))
        console.print()
    for sentence in describe_skipped(history):
        console.print(Text(sentence))


def draw_summaries(history: TypeHistory) -> Iterator[Table]:
    """Yield a table for each computation, with a row for each cell."""
    ordered = sorted(history.cells, key=lambda cell: cell.title)
    for title, cells in groupby(ordered, key=lambda cell: cell.title):
        drawn = make_table(
            "mode",
            *number_columns("runs"),
            name_column("first to last"),
            *number_columns("last"),
            "latest step",
            title=title,
            bold=True,
        )
        for cell in cells:
            drawn.add_row(Text(fold_label(cell.label)), *map(Text, format_summary(cell)))
        yield drawn


def format_summary(cell: CellHistory) -> tuple[str, ...]:
    """Return the columns of one cell after its name."""
    floors = [point.floor_ns.estimate for point in cell.points]
    return (str(len(floors)), plot_log_bars(floors, TREND_WIDTH), format_duration(floors[-1]), format_latest_step(cell))


def format_latest_step(cell: CellHistory) -> str:
    """Return the size and the date of the latest step; a dash without any, and empty if none can be found."""
    if cell.claimed:
        step = cell.claimed[-1]
        return f"{format_ratio(step.observed.estimate)} on {format_day(step.after.run.began)}"
    return "–" if cell.is_searched else ""


def draw_details(history: TypeHistory) -> Iterator[Table]:
    """Yield a table for each cell, with a row for each run and for each step."""
    for cell in history.cells:
        headings = number_columns("per call", "95 % interval")
        drawn = make_table(
            "run", *headings, "version", "commit", title=f"{name_cell(cell)}: {count_runs(len(cell.points))}", bold=True
        )
        steps = {step.after.run.name: step for step in cell.claimed}
        for point in cell.points:
            if step := steps.get(point.run.name):
                drawn.add_row(Text(f"→ {format_step(step)}", style="bold"))
            drawn.add_row(*map(Text, format_point(point)))
        yield drawn


def format_step(step: Step) -> str:
    """Return a step as the row between two runs."""
    return f"step: {format_ratio(step.observed.estimate)} ({format_ratio_range(step.ratio, '–')})"


def format_point(point: Point) -> tuple[str, ...]:
    """Return the columns of one run."""
    low, high = point.floor_ns.low, point.floor_ns.high
    known = low > 0 and high < float("inf")
    return tuple(
        map(
            to_printable,
            (
                f"{format_day(point.run.began)} {point.run.name}",
                format_duration(point.floor_ns.estimate),
                f"{format_duration(low)} to {format_duration(high)}" if known else "",
                format_version(point),
                format_commit(point),
            ),
        )
    )
