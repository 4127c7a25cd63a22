"""Markdown for a README or a comment: a table and the sentences for each computation."""

from collections.abc import Iterator

from orchestrator.analysis.results import Group, Result
from orchestrator.api import Run
from orchestrator.report.health import summary
from orchestrator.report.markdown import listing, plain, table
from orchestrator.report.terminal import with_interval
from orchestrator.report.units import duration, places, size
from orchestrator.report.words import sentences

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


def export(run: Run) -> bytes:
    """Return a section for each computation, then a line about the machine."""
    parts = [part for group in run.groups for part in section(group)]
    ended = f"Ended: {run.manifest.stopped}. " if run.manifest.stopped else ""
    return "\n\n".join([*parts, plain(f"{ended}{summary(run.manifest.host)}. Run {run.name}.")]).encode() + b"\n"


def section(group: Group) -> Iterator[str]:
    """Yield the heading, the table and the sentences of one computation."""
    yield f"### {plain(group.title)}"
    yield table(HEADINGS, rows(group))
    if said := sentences(group):
        yield listing(said)


def rows(group: Group) -> Iterator[tuple[str, ...]]:
    """Yield the ranked cells by rank, then the others. Show no time of a cell whose outcome is not `measured`."""
    for standing in group.standings:
        result, against = group.result(standing.cell), group.against.get(standing.cell)
        ratio, verdict = ("1", "baseline") if against is None else (with_interval(against.ratio), str(against.verdict))
        yield (*timed(result, ratio, places(standing.best, standing.worst)), verdict)
    ranked = {standing.cell for standing in group.standings}
    for result in group.results:
        if result.outcome == "measured" and result.label not in ranked:
            clone = group.clone if group.clone and group.clone.cell == result.label else None
            shown = (with_interval(clone.ratio), str(clone.verdict)) if clone else ("", "")
            yield (*timed(result, shown[0], ""), shown[1])
        elif result.outcome != "measured":
            yield (result.label, "n/a", "", "", "", "", str(result.jobs), result.outcome or "not run")


def timed(result: Result, ratio: str, place: str) -> tuple[str, ...]:
    """Return a measured cell's row, without its verdict."""
    peak = result.memory.get("step_peak")
    return (
        result.label,
        duration(result.floor_ns.estimate),
        ratio,
        place,
        duration(result.first_ns.estimate),
        size(peak.estimate) if peak else "–",
        f"{result.jobs} {result.grade}",
    )
