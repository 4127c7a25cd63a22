"""The results of a run on a terminal: the answer in words, a table for each group, notes, and paths of files."""

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.analysis.compare import Comparison
from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.run import Run
from orchestrator.analysis.standings import Standing
from orchestrator.format import fold_label, format_duration, format_rank, format_size, to_printable
from orchestrator.records.store import Store
from orchestrator.report import axis
from orchestrator.report.alarms import list_alarms
from orchestrator.report.environments import summarise_environments
from orchestrator.report.machine import summarise_host
from orchestrator.report.nodes.sentences import describe_next_sweep
from orchestrator.report.nodes.terminal import show_nodes
from orchestrator.report.nodes.types import describe_run_turnarounds
from orchestrator.report.overview import build_overview
from orchestrator.report.repetition import split_shared_sentences
from orchestrator.report.sections import (
    accuracy,
    agreement,
    breakeven,
    calls,
    generation,
    growth,
    latency,
    likeness,
    memory,
    new_shapes,
    price,
    profile,
    saved_models,
    throughput,
)
from orchestrator.report.sentences import list_deprecations
from orchestrator.report.summary import summarise_groups, write_notes
from orchestrator.report.tables import (
    WIDE,
    FittingTable,
    fold_verdict,
    format_ratio_with_interval,
    make_table,
    name_column,
    number_columns,
)
from schemas.record import JobRecord

STANDARD_COLUMNS: Final = ("time per\ncall", "ratio to baseline\n(95 % interval)", "rank", "first\nresult", "n")
FOLDED_HEADINGS: Final = {STANDARD_COLUMNS[1]: "ratio\n(95 %\ninterval)"}
# Further columns of a wide terminal.
EXTRA_COLUMNS: Final = ("95 % interval\nof the time", "step\npeak", "flags")
# What a narrow terminal goes without, the least important first.
DROPPED_COLUMNS: Final = ("n", "first\nresult", "rank")

# With more computations than this, the overview stands for their tables: nobody reads so many.
MAX_TABLES: Final = 60

# Modules with tables about a group: the function of the same name is called on each of them.
PARTS = (agreement, breakeven, latency, generation, throughput, growth, new_shapes, saved_models, memory, accuracy)


def show_results(
    console: Console, run: Run, profiles: Sequence[JobRecord] = (), *, details: bool = False, count: int | None = None
) -> None:
    """Print alarms, an overview of several groups, the answer in words, a table for each group, and notes.

    With `details`, print all tables and sentences. `count` is a number of calls to answer for as well. Of a run that is
    compared along an axis, the answer and the tables are those along it, and the groups are details. So are those of a
    run of very many groups.
    """
    console.print()
    alarms, along = list_alarms(run.groups), run.axis_tables
    answer = axis.summarise_axis(along) or summarise_groups(run.groups)
    answer += calls.describe_best_modes(run.groups, count)
    for alarm in alarms:
        console.print(Text(alarm, style="bold red"), "", sep="\n")
    show_answer(console, run, answer)
    # Sentences rest on break-evens, which take long to find among many computations.
    shared, own = split_shared_sentences(run.groups if details else (), (*alarms, *answer))
    is_brief = bool(along) or len(run.groups) > MAX_TABLES
    for place, group in enumerate(run.groups if details or not is_brief else ()):
        said = own[place] if details else agreement.describe_agreement(group)
        show_group(console, group, said, details=details)
        if group.over_nodes is not None:
            console.print()
            show_nodes(console, group.over_nodes)
    notes = [*price.describe_prices(run, brief=not details), *(shared if details else write_notes(run.groups))]
    told = [*axis.write_axis_notes(along, run), *describe_next_sweep(run), *throughput.describe_servers(run.groups)]
    show_notes(console, [*told, *notes, *list_deprecations(run.cells)])
    console.print()
    if details:
        show_surroundings(console, run, profiles)


def show_other_types(console: Console, run: Run, *, details: bool = False, count: int | None = None) -> None:
    """Print the results on each other type of machine, and where the order of two modes turns round between types."""
    for other in run.others:
        show_results(console, other, details=details, count=count)
    show_notes(console, describe_run_turnarounds(run))


def show_answer(console: Console, run: Run, answer: Iterable[str]) -> None:
    """Print the answer, below the overview of several groups, or above the tables along an axis."""
    if len(run.groups) > 1 and not run.axis_tables:
        console.print(build_overview(run.groups))
        console.print()
    for sentence in answer:
        console.print(Text(sentence))
    console.print(Text(f"Measured on {to_printable(run.machine_type.label)}.", style="dim"))
    for table in run.axis_tables:
        console.print()
        console.print(axis.build_axis_table(table))


def show_group(console: Console, group: Group, sentences: Iterable[str], *, details: bool) -> None:
    """Print the table of one group, with `details` its other tables too, and then sentences about it."""
    # A sweep that ranks by memory, times single calls, serves clients, or watches the memory, asks for that table.
    asked = (agreement, *([memory] if group.by_memory else []), latency, generation, throughput, growth)
    parts = PARTS if details else asked
    for table in (build_group_table(group), *(table for part in parts for table in part.build_tables(group))):
        console.print()
        console.print(table)
    show_notes(console, sentences)


def show_notes(console: Console, notes: Iterable[str]) -> None:
    """Print sentences as a list below a blank line; nothing without any."""
    # Rich reads brackets in a plain string as markup, so everything is printed as Text.
    if said := [Text(f"• {to_printable(note)}") for note in notes]:
        console.print("", *said, sep="\n")


def show_surroundings(console: Console, run: Run, profiles: Sequence[JobRecord]) -> None:
    """Print the profiles, the environments and the machine of a run."""
    for table in profile.build_profile_tables(profiles):
        console.print(table)
        console.print()
    for line in (*summarise_environments(run.manifest.environments), summarise_host(run.manifest.host)):
        console.print(Text(to_printable(line)))


def list_places(run: Run, place: Store, profiles: Sequence[JobRecord], *, details: bool) -> Iterator[str]:
    """Yield the reason for the end of a run, the command that shows its details, and the paths of its files."""
    if run.manifest.stopped:
        yield f"Ended: {run.manifest.stopped}."
    if len(run.groups) > MAX_TABLES:
        yield f"Tables of some computations: python -m orchestrator show {place.folder} --only PART-OF-THEIR-NAMES"
    if not details:
        yield f"All details: python -m orchestrator show {place.folder} --details"
    yield f"Records and logs of all jobs: {place.jobs_folder}"
    if traces := [profiled.trace.path for record in profiles if (profiled := profile.find_profile(record))]:
        yield f"Traces for https://ui.perfetto.dev: {traces[0]}" + (
            f" and {len(traces) - 1} more" if traces[1:] else ""
        )
    if place.sweep_path.is_file():
        yield f"Repeat it with: python -m orchestrator sweep {place.sweep_path}"
    if place.page_path.is_file():
        yield f"Report for a browser: {place.page_path}"


def build_group_table(group: Group) -> RenderableType:
    """Return the table of one group: ranked cells by rank, the A/A clone, then the others.

    A narrow terminal goes without the least important columns, down to 55 columns; a wide one gets more.
    """
    return FittingTable(partial(draw_group_tables, group))


def draw_group_tables(group: Group, width: int) -> Iterator[Table]:
    """Yield the table of a group with fewer and fewer columns, and at last with folded intervals."""
    wide = width >= WIDE
    shown = [*STANDARD_COLUMNS, *likeness.list_columns(group), *(EXTRA_COLUMNS if wide else ())]
    yield draw_group_table(group, shown, fold_labels=not wide)
    for column in (*reversed(EXTRA_COLUMNS), *DROPPED_COLUMNS):
        if column in shown:
            shown.remove(column)
            yield draw_group_table(group, shown)
    yield draw_group_table(group, shown, fold_ratios=True)


def draw_group_table(
    group: Group, shown: Sequence[str], *, fold_labels: bool = True, fold_ratios: bool = False
) -> Table:
    """Draw the table of a group with these columns between a mode and its verdict."""
    title = group.title + (f", checked against {group.referee} in {group.referee_dtype}" if group.referee else "")
    headings = [FOLDED_HEADINGS.get(column, column) if fold_ratios else column for column in shown]
    drawn = make_table(name_column("mode"), *number_columns(*headings), "verdict", title=title, bold=True)
    rows = format_group_rows(group, fold_labels=fold_labels)
    for (result, *_), (name, *cells, verdict) in zip(group.rows, rows, strict=True):
        texts = (
            dict(zip(STANDARD_COLUMNS, cells, strict=True)) | likeness.format_cells(result) | format_extra_cells(result)
        )
        values = [texts[column] for column in shown]
        drawn.add_row(name, *(map(fold_interval, values) if fold_ratios else values), verdict)
    return drawn


def format_extra_cells(result: Result) -> dict[str, Text | str]:
    """Return what only wide terminals show of a cell; empty texts if it was not measured."""
    if result.outcome != "measured":
        return dict.fromkeys(EXTRA_COLUMNS, "")
    low, high = result.floor_ns.low, result.floor_ns.high
    interval = f"{format_duration(low)} – {format_duration(high)}" if low > 0 and math.isfinite(high) else ""
    peak = result.memory.get("step_peak")
    texts = (interval, format_size(peak.estimate) if peak else "–", " ".join(sorted(result.flags)))
    return dict(zip(EXTRA_COLUMNS, texts, strict=True))


def fold_interval(cell: Text | str) -> Text | str:
    """Return a ratio with its interval on a second line."""
    return cell.replace(" (", "\n(") if isinstance(cell, str) else cell


def format_group_rows(group: Group, *, fold_labels: bool = True) -> Iterator[Sequence[Text | str]]:
    """Yield the rows of the table: ranked cells by rank, then the A/A clone and cells without a rank."""
    for result, standing, comparison in group.rows:
        label, jobs = fold_label(result.label) if fold_labels else to_printable(result.label), f"{result.jobs}"
        name = Text(label, style="" if result.outcome else "dim")
        if result.outcome == "measured":
            *shown, verdict = format_measured_cell(group, result, standing, comparison)
            yield (name, *shown, fold_verdict(verdict))
        elif result.outcome is None:
            yield (name, "", "", "", "", jobs, "")
        else:
            bad = Text(fold_verdict(result.outcome), style="bold red")
            yield (name, strike_time(result), "", "", "", jobs, bad)


def format_measured_cell(
    group: Group, result: Result, standing: Standing | None, comparison: Comparison | None
) -> tuple[str, ...]:
    """Return a cell's time, ratio, rank, first result, processes and verdict; empty what it does not have."""
    time, first = (format_duration(each.estimate) for each in (result.floor_ns, result.first_ns))
    # A mode that is compared with no other is nobody's baseline.
    alone = len(group.results) - sum(bool(each.cell.replica) for each in group.results) == 1
    ratio, verdict = ("1", "baseline") if result.label == group.baseline and not alone else ("", "")
    if comparison is not None:
        # The interval that decides; the sentences of --details have the measured one too.
        decisive = comparison.undisturbed or comparison.ratio
        ratio, verdict = format_ratio_with_interval(decisive), str(comparison.verdict)
    rank = format_rank(standing.best, standing.worst) if standing else ""
    return time, ratio, rank, first, f"{result.jobs} {result.grade}", verdict


def strike_time(result: Result) -> Text:
    """Return the time of a cell that may not be compared, struck out, if it has one."""
    if result.floor_ns.estimate > 0:
        return Text(format_duration(result.floor_ns.estimate), style="strike dim")
    return Text("n/a", style="dim")
