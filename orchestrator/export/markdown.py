"""Markdown for a README or a comment: a table and the sentences for each computation."""

from collections.abc import Iterator

from orchestrator.analysis.results import Group
from orchestrator.analysis.run import Run
from orchestrator.format import format_size
from orchestrator.report.machine import summarise_host
from orchestrator.report.markdown import escape_markdown, format_markdown_list, format_markdown_table
from orchestrator.report.sentences import describe_group, describe_mixture
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
    """Return a section for each computation, then the differences within a mixed run, and a line about the machine."""
    parts = [part for group in run.groups for part in make_section(group)]
    ended = f"Ended: {run.manifest.stopped}. " if run.manifest.stopped else ""
    notes = [*describe_mixture(run.mixed), f"{ended}{summarise_host(run.manifest.host)}. Run {run.name}."]
    return "\n\n".join([*parts, *map(escape_markdown, notes)]).encode() + b"\n"


def make_section(group: Group) -> Iterator[str]:
    """Yield the heading, the table and the sentences of one computation."""
    yield f"### {escape_markdown(group.title)}"
    yield format_markdown_table(HEADINGS, make_table_rows(group))
    if said := describe_group(group):
        yield format_markdown_list(said)


def make_table_rows(group: Group) -> Iterator[tuple[str, ...]]:
    """Yield the ranked cells by rank, then the others. Show no time of a cell whose outcome is not `measured`."""
    for result, standing, comparison in group.rows:
        if result.outcome == "measured":
            *shown, processes, verdict = format_measured_cell(group, result, standing, comparison)
            peak = result.memory.get("step_peak")
            yield (result.label, *shown, format_size(peak.estimate) if peak else "–", processes, verdict)
        else:
            yield (result.label, "n/a", "", "", "", "", f"{result.jobs}", result.outcome or "not run")
