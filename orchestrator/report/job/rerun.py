"""One job then and now: its figures side by side, and its floor among those of its cell's processes."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.analysis.derivation.memory import compute_memory_metrics
from orchestrator.analysis.derivation.process import Job
from orchestrator.analysis.derivation.samples import compute_floor_ns
from orchestrator.analysis.derivation.start_phases import first_result_ns
from orchestrator.analysis.process_scores import select_counted_jobs
from orchestrator.format import format_duration, format_ratio, format_size, to_printable
from orchestrator.records import provenance
from orchestrator.report.job.terminal import make_ruled_table
from schemas.base import SCHEMA_VERSION
from schemas.event import Report
from schemas.record import JobRecord


def show_rerun(console: Console, then: JobRecord, now: JobRecord, others: Sequence[Job]) -> None:
    """Print the measurements then and now. `others` are all jobs of its cell in the run."""
    console.print(build_rerun_table(then, now))
    console.print()
    for sentence in describe_rerun(then, now, others):
        console.print(Text(f"• {to_printable(sentence)}"))


def build_rerun_table(then: JobRecord, now: JobRecord) -> Table:
    """Return a table of the outcomes and, if both jobs were measured, a row for each figure."""
    drawn = make_ruled_table("Rerun", "", "then", "now", "now over then")
    drawn.add_row("outcome", then.outcome, now.outcome, "")
    for column in drawn.columns[1:]:
        column.justify = "right"
    # The times of a job that failed mean nothing.
    if then.report and now.report and then.outcome == now.outcome == "measured":
        for name, before, after, shown in pair_figures(then.report, now.report):
            drawn.add_row(name, shown(before), shown(after), format_ratio(after / before) if before else "–")
    return drawn


def pair_figures(then: Report, now: Report) -> Iterator[tuple[str, float, float, Callable[[float], str]]]:
    """Yield the name of each figure, its value then and now, and the function that formats it."""
    yield "floor", compute_floor_ns(then), compute_floor_ns(now), format_duration
    yield "median", compute_median_ns(then), compute_median_ns(now), format_duration
    if not (then.forked or now.forked):
        yield "first result", first_result_ns(then), first_result_ns(now), format_duration
    if then.noise.canary_ns and now.noise.canary_ns:
        yield "canary", min(then.noise.canary_ns), min(now.noise.canary_ns), format_duration
    before, after = compute_memory_metrics(then), compute_memory_metrics(now)
    yield from (
        (metric.replace("_", " "), before[metric], after[metric], format_size) for metric in before if metric in after
    )


def compute_median_ns(report: Report) -> float:
    """Return the nanoseconds per call of a process's median sample."""
    return statistics.median(report.samples_ns) / report.calls


def describe_rerun(then: JobRecord, now: JobRecord, others: Sequence[Job]) -> Iterator[str]:
    """Yield the place of the new floor among those of the cell's processes, and what else has changed."""
    if now.outcome != "measured" or now.report is None:
        # Without a reason, an empty clause is left between colon and semicolon.
        yield f"Now it ended as {now.outcome}: {now.reason}; {now.advice}.".replace(": ;", ";")
    else:
        yield from describe_place(
            compute_floor_ns(now.report), sorted(figures.floor_ns for _, figures in select_counted_jobs(others))
        )
    changed = list(
        provenance.describe_differences(
            "", provenance.select_timing_facts(then.host), provenance.select_timing_facts(now.host)
        )
    )
    if changed:
        yield f"Changed since then: {'; '.join(changed)}."


def describe_place(now: float, floors: Sequence[float]) -> Iterator[str]:
    """Yield the place of a floor among those of the run."""
    if not floors:
        return
    middle = statistics.median(floors)
    said = (
        f"Its floor is {format_ratio(now / middle)} times the median of this cell's {len(floors)} processes in the run"
    )
    ends = f"which range from {format_ratio(floors[0] / middle)} to {format_ratio(floors[-1] / middle)}"
    where = (
        "within that range"
        if floors[0] <= now <= floors[-1]
        else "above all of them"
        if now > floors[-1]
        else "below all of them"
    )
    yield f"{said}, {ends}: it is {where}. A single process shows no more than that; use `compare` on two runs."


def build_rerun_document(then: JobRecord, now: JobRecord) -> dict[str, Any]:
    """Return both records as data."""
    return {"schema_version": SCHEMA_VERSION, "then": then.model_dump(mode="json"), "now": now.model_dump(mode="json")}
