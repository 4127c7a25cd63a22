"""The results of a run on a terminal: a table for each group, sentences, and the path of the logs."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from orchestrator.analysis.compare import Comparison, Standing
from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.statistics.intervals import Interval
from orchestrator.format import fold_label, format_duration, format_rank, format_ratio, format_ratio_range, to_printable
from orchestrator.report.sections import breakeven, memory, new_shapes, profile, saved_models
from orchestrator.report.sentences import describe_group, list_deprecations
from schemas.record import JobRecord

# Modules whose tables follow that of a group: the function of the same name is called on each of them.
PARTS = (breakeven, new_shapes, saved_models, memory)


def show_results(
    console: Console,
    groups: Sequence[Group],
    stopped: str,
    where: str,
    machine: str,
    looked_at: Sequence[JobRecord] = (),
) -> None:
    """Print all results of a sweep."""
    for group in groups:
        console.print()
        console.print(build_group_table(group))
        for more in (table for part in PARTS for table in part.build_tables(group)):
            console.print()
            console.print(more)
        # Rich reads brackets in a plain string as markup: text from records is escaped.
        for sentence in describe_group(group):
            console.print(f"• {escape(sentence)}", highlight=False)
    for drawn in profile.build_profile_tables(looked_at):
        console.print()
        console.print(drawn)
    for note in list_deprecations([result for group in groups for result in group.results]):
        console.print(f"• Note: {escape(to_printable(note))}.", highlight=False)
    console.print()
    if stopped:
        console.print(f"Ended: {escape(to_printable(stopped))}.", highlight=False)
    console.print(Text(to_printable(machine)))
    console.print(f"Records and logs of all jobs: {escape(to_printable(where))}", highlight=False, soft_wrap=True)
    if traces := [profiled.trace.path for record in looked_at if (profiled := profile.find_profile(record))]:
        first = escape(to_printable(traces[0]))
        console.print(
            f"Traces for https://ui.perfetto.dev: {first} and {len(traces) - 1} more", highlight=False, soft_wrap=True
        )


def build_group_table(group: Group) -> Table:
    """Return the table of one group: ranked cells by rank, the A/A clone, then the others. Fits 80 columns."""
    drawn = Table(
        title=Text(
            to_printable(group.title + (f", checked against {group.referee} in float64" if group.referee else ""))
        ),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
    drawn.add_column("mode", no_wrap=True)
    for heading in ("time per\ncall", "ratio to baseline\n(95 % interval)", "rank", "first\nresult", "n"):
        drawn.add_column(heading, justify="right", no_wrap=True)
    drawn.add_column("verdict")
    for cells in format_group_rows(group):
        drawn.add_row(*cells)
    return drawn


def format_group_rows(group: Group) -> Iterator[Sequence[Text | str]]:
    """Yield the rows of the table: ranked cells, the A/A clone, then cells without a rank."""
    against = group.against
    for standing in group.standings:
        yield format_ranked_row(group.result(standing.cell), standing, against.get(standing.cell))
    for result in group.results:
        if group.clone is not None and result.label == group.clone.cell:
            yield format_ranked_row(result, None, group.clone)
        # A clone whose original failed is compared with nothing, but keeps its row.
        elif result.cell.replica and result.outcome == "measured":
            yield format_ranked_row(result, None, None)
        elif result.outcome is None:
            yield (dim_text(format_label(result)), "", "", "", "", "0", "")
        elif result.outcome != "measured":
            yield format_unranked_row(result)


def format_ranked_row(result: Result, standing: Standing | None, comparison: Comparison | None) -> Sequence[Text | str]:
    """Return the row of a measured cell. The baseline is compared with nothing."""
    place = "" if standing is None else format_rank(standing.best, standing.worst)
    alone = "" if result.cell.replica else "baseline"
    verdict = alone if comparison is None else fold_verdict(comparison.verdict)
    times = "1" if comparison is None else format_ratio_with_interval(comparison.ratio)
    return (
        format_label(result),
        format_duration(result.floor_ns.estimate),
        times,
        place,
        format_duration(result.first_ns.estimate),
        f"{result.jobs} {result.grade}",
        verdict,
    )


def fold_verdict(verdict: str) -> str:
    """Return a verdict or an outcome, on two lines if it has more than one word."""
    head, dash, tail = verdict.partition("-")
    return f"{head}{dash}\n{tail}" if dash else head


def format_label(result: Result) -> Text:
    """Return the framework and the mode of a cell."""
    return Text(fold_label(result.label))


def dim_text(text: Text) -> Text:
    """Dim a text and return it."""
    text.stylize("dim")
    return text


def format_unranked_row(result: Result) -> Sequence[Text | str]:
    """Return the row of a cell that may not be compared: its time, if it has one, is struck out."""
    timed = result.floor_ns.estimate > 0
    shown = Text(format_duration(result.floor_ns.estimate), style="strike dim") if timed else Text("n/a", style="dim")
    return (
        format_label(result),
        shown,
        "",
        "",
        "",
        str(result.jobs),
        Text(fold_verdict(str(result.outcome)), style="bold red"),
    )


def format_ratio_with_interval(interval: Interval) -> str:
    """Return a ratio with its interval: `1.035 (1.010–1.066)`."""
    ends = format_ratio_range(interval, "–")
    return format_ratio(interval.estimate) + (f" ({ends})" if ends else "")
