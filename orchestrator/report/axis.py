"""The comparison along an axis: in sentences, as a table, and as data."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.table import Column, Table
from rich.text import Text

from orchestrator.analysis.axis import SAME_WORK, AxisRow, AxisTable, Unit
from orchestrator.analysis.compare import CLAIMS, Comparison, Verdict
from orchestrator.analysis.rows import finite_or_none
from orchestrator.analysis.run import Run
from orchestrator.analysis.statistics.looks import blocks_needed
from orchestrator.format import fold_label, format_duration, format_ratio, format_ratio_range, format_size, to_printable
from orchestrator.records.axes import AxisValue, format_axis_value
from orchestrator.report.sections.accuracy import format_equal_argmax
from orchestrator.report.sentences import describe_claim
from orchestrator.report.tables import FittingTable, make_table, name_column, number_columns
from orchestrator.report.values import interval_to_dict

ARTICLES: Final[Mapping[Unit, str]] = {"call": "a call", "example": "an example"}

# A value of this length leaves room for all columns in 80 characters.
MAX_VALUE_LENGTH: Final = 10

# With more pairs than this, sentences count the verdicts instead.
MAX_SENTENCES: Final = 4

# The headings of the figures that a table has for its axis alone; on any other axis, that is the first result.
USUAL_FIGURES: Final = ("first\nresult",)
FIGURES: Final[Mapping[str, tuple[str, ...]]] = {
    "threads": ("speed-up,\nefficiency",),
    "dtype": ("largest\nerror",),
    "precision": ("largest\nerror", "equal\narg-max", "step\npeak"),
    "batch": ("time per\nexample",),
}


def list_headings(axis: str, unit: str) -> tuple[str, ...]:
    """Return the headings of a table along an axis."""
    return (
        "mode",
        axis,
        "time per\ncall",
        *FIGURES.get(axis, USUAL_FIGURES),
        f"ratio per {unit}\n(95 % interval)",
        f"verdict\nper {unit}",
    )


def summarise_axis(tables: Sequence[AxisTable]) -> list[str]:
    """Return the answer: a sentence for each pair, or the number of pairs with each verdict if they are many."""
    if sum(len(table.comparisons) for table in tables) > MAX_SENTENCES:
        return [to_printable(sentence) for sentence in count_verdicts(tables)]
    return [
        to_printable((f"{table.title}: " if len(tables) > 1 else "") + sentence)
        for table in tables
        for sentence in describe_table(table)
    ]


def describe_table(table: AxisTable) -> Iterator[str]:
    """Yield a sentence for each pair, or the reason why there is none."""
    for row in table.rows:
        if row.comparison is not None and row.base is not None:
            claim = describe_claim(row.comparison, f"one {format_axis_value(row.axis, row.base)}")
            unit = f"{ARTICLES[table.unit]} {format_axis_value(row.axis, row.value)}"
            yield f"{row.mode}: {unit} {claim}{describe_figure(row)}."
    if not table.comparisons:
        yield f"No mode was measured at two values of {table.axis}."


def describe_figure(row: AxisRow) -> str:
    """Return the figure that belongs to the axis as the end of a sentence; empty on most axes and without a finding."""
    if row.comparison is None or row.comparison.verdict not in {*CLAIMS, Verdict.EQUIVALENT}:
        return ""
    if row.axis == "threads" and math.isfinite(row.efficiency):
        return f"; the speed-up is {row.speed_up:.2f}, the efficiency {row.efficiency:.0%}"
    if row.axis == "batch" and isinstance(row.base, int):
        longer = row.comparison.ratio.estimate * row.result.cell.batch / row.base
        return f"; the whole call takes {format_ratio(longer)} times as long"
    return ""


def count_verdicts(tables: Sequence[AxisTable]) -> Iterator[str]:
    """Yield for each value, and the value that it is compared with, how many modes have which verdict."""
    counts: dict[tuple[AxisValue, AxisValue], Counter[Verdict]] = {}
    for row in (row for table in tables for row in table.rows):
        if row.comparison is not None and row.base is not None:
            counts.setdefault((row.value, row.base), Counter())[row.comparison.verdict] += 1
    for (value, base), verdicts in counts.items():
        axis, unit = tables[0].axis, ARTICLES[tables[0].unit].capitalize()
        said = ", ".join(f"{verdict} in {count}" for verdict, count in verdicts.most_common())
        pair = f"{unit} {format_axis_value(axis, value)} against one {format_axis_value(axis, base)}"
        yield f"{pair}: {said} of {verdicts.total()} comparisons."


def build_axis_table(table: AxisTable) -> RenderableType:
    """Return the table of one computation along an axis. A narrow terminal goes without its figures."""
    most = len(FIGURES.get(table.axis, USUAL_FIGURES))
    return FittingTable(lambda _: (draw_axis_table(table, shown) for shown in range(most, -1, -1)))


def draw_axis_table(table: AxisTable, shown: int) -> Table:
    """Draw the table with so many of the figures that belong to its axis."""
    mode, axis, *numbers, verdict = drop_figures(list_headings(table.axis, table.unit), shown)
    # A parameter's name comes from a record. Rich would read brackets in a plain string as markup.
    values = Column(Text(to_printable(axis)), justify="right", overflow="fold")
    columns: list[Column | str] = [name_column(mode), values, *number_columns(*numbers), verdict]
    drawn, before = make_table(*columns, title=table.title, bold=True), ""
    for row in table.rows:
        name, value, *cells, outcome = drop_figures(format_row(row), shown)
        bad = row.result.outcome not in ("measured", None)
        head, dash, tail = outcome.partition("-")
        folded = Text(f"{head}{dash}\n{tail}" if dash else head, style="bold red" if bad else "")
        texts = ("" if name == before else fold_label(name), fold_value(value), *cells)
        drawn.add_row(*map(Text, texts), folded)
        before = name
    return drawn


def drop_figures(cells: tuple[str, ...], shown: int) -> tuple[str, ...]:
    """Return the cells of a row with so many of the figures that belong to the axis."""
    return (*cells[: 3 + shown], *cells[-2:])


def fold_value(value: str) -> str:
    """Return a value for a narrow column: the version of a long environment takes another line."""
    return to_printable(value if len(value) <= MAX_VALUE_LENGTH else value.replace("@", "\n@"))


def format_row(row: AxisRow) -> tuple[str, ...]:
    """Return the text of a row, in the order of the headings. A cell that was not measured shows no time."""
    if row.result.outcome != "measured":
        # The error of a wrong cell says how wrong it is.
        figures = format_figures(row) if row.axis == "precision" else [""] * len(FIGURES.get(row.axis, USUAL_FIGURES))
        return row.mode, str(row.value), "n/a", *figures, "", row.result.outcome or "not run"
    time, (ratio, verdict) = format_duration(row.result.floor_ns.estimate), ("", "")
    if row.value == row.base:
        ratio, verdict = "1", "baseline"
    elif row.comparison is not None:
        # The interval that decides; the sentences have the measured one too.
        ends = format_ratio_range(row.comparison.undisturbed or row.comparison.ratio, "–")
        ratio = format_ratio(row.comparison.ratio.estimate) + (f" ({ends})" if ends else "")
        verdict = str(row.comparison.verdict)
    return row.mode, str(row.value), time, *format_figures(row), ratio, verdict


def format_figures(row: AxisRow) -> tuple[str, ...]:
    """Return the figures that belong to the axis, in the order of their headings."""
    if row.axis != "precision":
        return (format_figure(row),)
    error, peak = f"{row.accuracy.error:.1e}" if row.accuracy else "", row.result.memory.get("step_peak")
    share = format_equal_argmax(row.accuracy) if row.accuracy else ""
    return error, share, format_size(peak.estimate) if peak else ""


def format_figure(row: AxisRow) -> str:
    """Return the figure that belongs to the axis: speed-up and efficiency, largest error, time per example."""
    match row.axis:
        case "threads":
            return f"{row.speed_up:.2f}, {row.efficiency:.0%}" if math.isfinite(row.efficiency) else ""
        case "dtype":
            return f"{row.accuracy.error:.1e}" if row.accuracy else ""
        case "batch":
            return format_duration(row.example_ns)
        case _:
            return format_duration(row.result.first_ns.estimate)


def write_axis_notes(tables: Sequence[AxisTable], run: Run) -> list[str]:
    """Return how the ratios along an axis have to be read, and how each dtype was verified."""
    if not tables:
        return []
    axis, rows = tables[0].axis, [row for table in tables for row in table.rows]
    notes = []
    if axis == "batch":
        notes.append("Ratios and verdicts are of the time per example: the time per call divided by the batch.")
    elif axis not in SAME_WORK:
        notes.append(f"Ratios and verdicts are of the time per call; with another {axis}, a call does other work.")
    if axis in ("dtype", "precision"):
        notes += describe_accuracies(rows)
    most = max((row.value for row in rows if axis == "threads" and isinstance(row.value, int)), default=0)
    if most > (cores := run.manifest.host.cores):
        notes.append(f"{most} threads on {cores} cores: they wait for each other, and times grow.")
    return [to_printable(note) for note in (*notes, *describe_lacking_blocks(tables, run))]


def describe_lacking_blocks(tables: Sequence[AxisTable], run: Run) -> Iterator[str]:
    """Yield how many blocks a claim takes at least, if the largest table of a run has fewer, with the command."""
    table = max(tables, key=lambda each: len(each.comparisons))
    needed = blocks_needed(len(table.comparisons), table.alpha)
    lacking = needed - min((found.blocks for found in table.comparisons), default=needed)
    if lacking > 0:
        pairs = f"{len(table.comparisons)} ratio{' needs' if len(table.comparisons) == 1 else 's need'}"
        command = f"python -m orchestrator resume {run.name} --blocks +{lacking}"
        yield f"No claim is possible yet: {pairs} {needed} blocks, {lacking} more than there are: {command}."


def describe_accuracies(rows: Sequence[AxisRow]) -> Iterator[str]:
    """Yield how each dtype was verified: its largest error over all modes, with the tolerance of that tensor."""
    said = []
    for value in dict.fromkeys(row.value for row in rows):
        found = [row.accuracy for row in rows if row.value == value and row.accuracy is not None]
        if found:
            worst = max(found, key=lambda each: each.error)
            ranked = [each for each in found if each.equal_argmax is not None]
            least = min(ranked, key=lambda each: each.equal_argmax or 0.0, default=None)
            equal = f"; arg-max equal in {format_equal_argmax(least)} at least" if least else ""
            said.append(f"{value} errs by {worst.error:.1e} at most (tolerance {worst.tolerance:.1e}{equal})")
    if said:
        yield f"Verified against float64: {'; '.join(said)}. The ratios do not weigh accuracy against time."


def axis_to_dict(tables: Sequence[AxisTable]) -> dict[str, Any] | None:
    """Return the comparison along an axis as data; None without one."""
    if not tables:
        return None
    return {
        "axis": tables[0].axis,
        "unit": tables[0].unit,
        "tables": [{"title": table.title, "rows": [row_to_dict(row) for row in table.rows]} for table in tables],
        "sentences": summarise_axis(tables),
    }


def row_to_dict(row: AxisRow) -> dict[str, Any]:
    """Return one mode at one value of the axis as data; its ratio is in the unit of its table."""
    measured, threads = row.result.outcome == "measured", row.axis == "threads"
    return {
        "mode": row.mode,
        "value": row.value,
        "baseline": row.base,
        "id": row.result.cell.id,
        "outcome": row.result.outcome,
        "floor_ns": finite_or_none(row.result.floor_ns.estimate) if measured else None,
        "example_ns": finite_or_none(row.example_ns) if measured else None,
        **comparison_to_columns(row.comparison),
        "speed_up": finite_or_none(row.speed_up) if threads else None,
        "efficiency": finite_or_none(row.efficiency) if threads else None,
        "largest_error": row.accuracy and row.accuracy.error,
        "tolerance": row.accuracy and row.accuracy.tolerance,
        "equal_argmax": row.accuracy and row.accuracy.equal_argmax,
        "step_peak_bytes": finite_or_none(peak.estimate) if (peak := row.result.memory.get("step_peak")) else None,
    }


def comparison_to_columns(found: Comparison | None) -> dict[str, Any]:
    """Return the ratio of a row with its interval, the number of its pairs and its verdict; null without one."""
    if found is None:
        return dict.fromkeys(("ratio", "undisturbed", "p", "blocks", "verdict"))
    return {
        "ratio": interval_to_dict(found.ratio),
        "undisturbed": interval_to_dict(found.undisturbed or found.ratio),
        "p": finite_or_none(found.p),
        "blocks": found.blocks,
        "verdict": str(found.verdict),
    }
