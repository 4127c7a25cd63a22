"""One job then and now: its figures side by side, and how far they differ from what its cell's processes did."""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator import identity
from orchestrator.analysis.curve import first_result_ns
from orchestrator.analysis.memory import headlines
from orchestrator.analysis.results import counting, floor
from orchestrator.report.job import ruled
from orchestrator.report.units import duration, printable, ratio, size
from schemas.base import SCHEMA_VERSION
from schemas.event import Report
from schemas.record import JobRecord


def show(console: Console, then: JobRecord, now: JobRecord, others: Sequence[JobRecord]) -> None:
    """Print what was measured then and now. `others` are all jobs of its cell in the run."""
    console.print(table(then, now))
    console.print()
    for sentence in sentences(then, now, others):
        console.print(Text(f"• {printable(sentence)}"))


def table(then: JobRecord, now: JobRecord) -> Table:
    """A row for each figure; no figure is shown of a job that was not measured as it should be."""
    drawn = ruled("Run again", "", "then", "now", "now over then")
    drawn.add_row("outcome", then.outcome, now.outcome, "")
    for column in drawn.columns[1:]:
        column.justify = "right"
    if then.report and now.report and then.outcome == now.outcome == "measured":
        for name, before, after, shown in figures(then.report, now.report):
            drawn.add_row(name, shown(before), shown(after), ratio(after / before) if before else "–")
    return drawn


def figures(then: Report, now: Report) -> Iterator[tuple[str, float, float, Callable[[float], str]]]:
    """Name, then, now, and how such a figure is written."""
    yield "floor", floor_ns(then), floor_ns(now), duration
    yield "median", median_ns(then), median_ns(now), duration
    yield "first result", first_result_ns(then), first_result_ns(now), duration
    if then.noise.canary_ns and now.noise.canary_ns:
        yield "canary", min(then.noise.canary_ns), min(now.noise.canary_ns), duration
    before, after = headlines(then), headlines(now)
    yield from ((metric.replace("_", " "), before[metric], after[metric], size) for metric in before if metric in after)


def floor_ns(report: Report) -> float:
    """Nanoseconds per call of a process's fastest sample."""
    return 1e9 * math.exp(floor(report))


def median_ns(report: Report) -> float:
    """Nanoseconds per call of its median sample."""
    return statistics.median(report.samples_ns) / report.calls


def sentences(then: JobRecord, now: JobRecord, others: Sequence[JobRecord]) -> Iterator[str]:
    """How far the new floor is from those of the cell's processes, and what else is not as it was."""
    if now.outcome != "measured" or now.report is None:
        yield f"Now it ended as {now.outcome}: {now.reason}; {now.advice}.".replace(": ;", ";")
    else:
        yield from placed(
            math.exp(floor(now.report)), sorted(math.exp(floor(report)) for _, report in counting(others))
        )
    changed = list(identity.differences("", identity.felt(then.host), identity.felt(now.host)))
    if changed:
        yield f"Not as it was then: {'; '.join(changed)}."


def placed(now: float, floors: Sequence[float]) -> Iterator[str]:
    """Where a floor stands among those of the run."""
    if not floors:
        return
    middle = statistics.median(floors)
    said = f"Its floor is {ratio(now / middle)} times the median of this cell's {len(floors)} processes in the run"
    ends = f"which went from {ratio(floors[0] / middle)} to {ratio(floors[-1] / middle)}"
    where = (
        "among them"
        if floors[0] <= now <= floors[-1]
        else "above all of them"
        if now > floors[-1]
        else "below all of them"
    )
    yield f"{said}, {ends}: it is {where}. One process by itself says no more; `compare` two runs for that."


def document(then: JobRecord, now: JobRecord) -> dict[str, Any]:
    """Both records."""
    return {"schema_version": SCHEMA_VERSION, "then": then.model_dump(mode="json"), "now": now.model_dump(mode="json")}
