"""Markdown for a README or a comment: a table and the sentences for each computation."""

from collections.abc import Iterator, Sequence

from orchestrator.analysis.agreement import compare_results
from orchestrator.analysis.axis import AxisTable
from orchestrator.analysis.results import Group
from orchestrator.analysis.run import Run
from orchestrator.format import format_size
from orchestrator.report import axis
from orchestrator.report.alarms import list_alarms
from orchestrator.report.machine import summarise_host
from orchestrator.report.markdown import (
    escape_markdown,
    format_markdown_list,
    format_markdown_quote,
    format_markdown_table,
)
from orchestrator.report.overview import build_overview
from orchestrator.report.repetition import split_shared_sentences
from orchestrator.report.sections import agreement
from orchestrator.report.sentences import describe_mixture, describe_skipped
from orchestrator.report.terminal import format_measured_cell

HEADINGS = (
    "mode",
    "time per call",
    "ratio to baseline (95 % interval)",
    "rank",
    "first result",
    "step peak",
    "n",
    "verdict",
)


def export_document(run: Run) -> bytes:
    """Return alarms, an overview of several computations, a section for each, and a line about the machine.

    A comparison along an axis comes before the overview.
    """
    alarms = list_alarms(run.groups)
    shared, own = split_shared_sentences(run.groups, alarms)
    parts = [format_markdown_quote(alarms)] if alarms else []
    parts += [part for table in run.axis_tables for part in make_axis_section(table, run)]
    if len(run.groups) > 1:
        parts += make_overview(run)
    parts += [part for group, said in zip(run.groups, own, strict=True) for part in make_section(group, said)]
    parts += [format_markdown_list(shared)] if shared else []
    ended = f"Ended: {run.manifest.stopped}. " if run.manifest.stopped else ""
    notes = [
        *describe_mixture(run.mixed),
        *describe_skipped(run.left_out),
        f"{ended}{summarise_host(run.manifest.host)}. Run {run.name}.",
    ]
    return "\n\n".join([*parts, *map(escape_markdown, notes)]).encode() + b"\n"


def make_overview(run: Run) -> Iterator[str]:
    """Yield the matrix of computations and modes with its legend."""
    found = build_overview(run.groups)
    yield format_markdown_table(
        ("computation", *found.modes), ((row.name, *(each.shown for each in row.squares)) for row in found.rows)
    )
    yield escape_markdown(found.legend)


def make_axis_section(table: AxisTable, run: Run) -> Iterator[str]:
    """Yield the heading, the table and the sentences of one computation along an axis."""
    headings = [" ".join(heading.split()) for heading in axis.list_headings(table.axis, table.unit)]
    yield f"### {escape_markdown(f'{table.title}, by {table.axis}')}"
    yield format_markdown_table(headings, map(axis.format_row, table.rows))
    yield format_markdown_list([*axis.summarise_axis([table]), *axis.write_axis_notes([table], run)])


def make_section(group: Group, sentences: Sequence[str]) -> Iterator[str]:
    """Yield the heading, the table, these sentences and the matrix of agreement of one computation."""
    yield f"### {escape_markdown(group.title)}"
    yield format_markdown_table(HEADINGS, make_table_rows(group))
    if sentences:
        yield format_markdown_list(sentences)
    if found := compare_results(group):
        headings = (agreement.TITLE, agreement.REFERENCE, *agreement.list_numbers(found))
        rows = (
            (f"{number} {label}", *map(agreement.format_square, squares))
            for number, (label, squares) in enumerate(agreement.list_rows(found), 1)
        )
        yield format_markdown_table(headings, rows)


def make_table_rows(group: Group) -> Iterator[tuple[str, ...]]:
    """Yield the ranked cells by rank, then the others. Show no time of a cell whose outcome is not `measured`."""
    for result, standing, comparison in group.rows:
        if result.outcome == "measured":
            *shown, processes, verdict = format_measured_cell(group, result, standing, comparison)
            peak = result.memory.get("step_peak")
            yield (result.label, *shown, format_size(peak.estimate) if peak else "–", processes, verdict)
        else:
            yield (result.label, "n/a", "", "", "", "", f"{result.jobs}", result.outcome or "not run")
