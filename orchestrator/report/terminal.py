"""The results of a run on a terminal: the answer in words, a table for each group, notes, and paths of files."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.analysis.compare import Comparison, Standing
from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.run import Run
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.format import fold_label, format_duration, format_rank, format_ratio, format_ratio_range, to_printable
from orchestrator.records.store import Store
from orchestrator.report.environments import summarise_environments
from orchestrator.report.machine import summarise_host
from orchestrator.report.sections import breakeven, latency, memory, new_shapes, profile, saved_models
from orchestrator.report.sentences import describe_group, list_deprecations
from orchestrator.report.summary import summarise_groups, write_notes
from orchestrator.report.tables import make_table, name_column, number_columns
from schemas.record import JobRecord

# Modules with tables about a group: the function of the same name is called on each of them.
PARTS = (breakeven, latency, new_shapes, saved_models, memory)


def show_results(console: Console, run: Run, profiles: Sequence[JobRecord] = (), *, details: bool = False) -> None:
    """Print the answer in words, a table for each group, and notes; with `details`, all tables and sentences."""
    console.print()
    for sentence in summarise_groups(run.groups):
        console.print(Text(sentence))
    for group in run.groups:
        show_group(console, group, details=details)
    show_notes(console, [*(() if details else write_notes(run.groups)), *list_deprecations(run.cells)])
    console.print()
    if details:
        show_surroundings(console, run, profiles)


def show_group(console: Console, group: Group, *, details: bool) -> None:
    """Print the table of one group; with `details`, its other tables and all sentences."""
    # A sweep that ranks by memory, or that times single calls, asks for that table.
    asked = (memory, latency) if group.by_memory else (latency,)
    parts = PARTS if details else asked
    for table in (build_group_table(group), *(table for part in parts for table in part.build_tables(group))):
        console.print()
        console.print(table)
    show_notes(console, describe_group(group) if details else ())


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
    if not details:
        yield f"All details: python -m orchestrator show {place.folder} --details"
    yield f"Records and logs of all jobs: {place.jobs_folder}"
    if traces := [profiled.trace.path for record in profiles if (profiled := profile.find_profile(record))]:
        yield f"Traces for https://ui.perfetto.dev: {traces[0]}" + (
            f" and {len(traces) - 1} more" if traces[1:] else ""
        )
    if place.page_path.is_file():
        yield f"Report for a browser: {place.page_path}"


def build_group_table(group: Group) -> Table:
    """Return the table of one group: ranked cells by rank, the A/A clone, then the others. Fits 80 columns."""
    title = group.title + (f", checked against {group.referee} in float64" if group.referee else "")
    headings = ("time per\ncall", "ratio to baseline\n(95 % interval)", "rank", "first\nresult", "n")
    drawn = make_table(name_column("mode"), *number_columns(*headings), "verdict", title=title, bold=True)
    for cells in format_group_rows(group):
        drawn.add_row(*cells)
    return drawn


def format_group_rows(group: Group) -> Iterator[Sequence[Text | str]]:
    """Yield the rows of the table: ranked cells by rank, then the A/A clone and cells without a rank."""
    for result, standing, comparison in group.rows:
        name, jobs = Text(fold_label(result.label), style="" if result.outcome else "dim"), f"{result.jobs}"
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
    ratio, verdict = ("1", "baseline") if result.label == group.baseline else ("", "")
    if comparison is not None:
        ratio, verdict = format_ratio_with_interval(comparison.ratio), str(comparison.verdict)
    rank = format_rank(standing.best, standing.worst) if standing else ""
    return time, ratio, rank, first, f"{result.jobs} {result.grade}", verdict


def fold_verdict(verdict: str) -> str:
    """Return a verdict or an outcome, on two lines if it has more than one word."""
    head, dash, tail = verdict.partition("-")
    return f"{head}{dash}\n{tail}" if dash else head


def strike_time(result: Result) -> Text:
    """Return the time of a cell that may not be compared, struck out, if it has one."""
    if result.floor_ns.estimate > 0:
        return Text(format_duration(result.floor_ns.estimate), style="strike dim")
    return Text("n/a", style="dim")


def format_ratio_with_interval(interval: Interval) -> str:
    """Return a ratio with its interval: `1.035 (1.010–1.066)`."""
    ends = format_ratio_range(interval, "–")
    return format_ratio(interval.estimate) + (f" ({ends})" if ends else "")
