"""Markdown for a README or a comment: a table and the sentences for each computation."""

from collections.abc import Iterator

from orchestrator.analysis.results import Group, Result
from orchestrator.analysis.run import Run
from orchestrator.format import format_duration, format_rank, format_size
from orchestrator.report.machine import summarise_host
from orchestrator.report.markdown import escape_markdown, format_markdown_list, format_markdown_table
from orchestrator.report.sentences import describe_group, describe_mixture
from orchestrator.report.terminal import format_ratio_with_interval

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
    for standing in group.standings:
        result, against = group.result(standing.cell), group.against.get(standing.cell)
        ratio, verdict = (
            ("1", "baseline") if against is None else (format_ratio_with_interval(against.ratio), str(against.verdict))
        )
        yield (*format_measured_row(result, ratio, format_rank(standing.best, standing.worst)), verdict)
    ranked = {standing.cell for standing in group.standings}
    for result in group.results:
        if result.outcome == "measured" and result.label not in ranked:
            clone = group.clone if group.clone and group.clone.cell == result.label else None
            shown = (format_ratio_with_interval(clone.ratio), str(clone.verdict)) if clone else ("", "")
            yield (*format_measured_row(result, shown[0], ""), shown[1])
        elif result.outcome != "measured":
            yield (result.label, "n/a", "", "", "", "", str(result.jobs), result.outcome or "not run")


def format_measured_row(result: Result, ratio: str, place: str) -> tuple[str, ...]:
    """Return a measured cell's row, without its verdict."""
    peak = result.memory.get("step_peak")
    return (
        result.label,
        format_duration(result.floor_ns.estimate),
        ratio,
        place,
        format_duration(result.first_ns.estimate),
        format_size(peak.estimate) if peak else "–",
        f"{result.jobs} {result.grade}",
    )
