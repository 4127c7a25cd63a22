"""One job's story on a terminal: what was asked, what happened, what was measured."""

import os
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from orchestrator.analysis.disturbance import LIMIT, lost_shares
from orchestrator.analysis.memory import headlines
from orchestrator.report.units import duration, printable, size
from orchestrator.store import job_name, opened
from schemas.event import Report
from schemas.record import JobRecord

LOG_TAIL = 12
LOG_BYTES = 1 << 16
LINE_WIDTH = 300
MEMORY = ("start", "peak", "end", "pss", "uss")


def show(console: Console, record: JobRecord, log: Path) -> None:
    """Print one job."""
    console.print(Text(printable(job_name(record.spec)), style="bold"))
    for label, text in facts(record):
        console.print(Text(f"{label:>14}  {printable(text)}"))
    if record.report is not None:
        console.print(phases(record.report))
        console.print(checks(record.report))
    console.print(Text(f"The log, {printable(str(log))}, ends:", style="dim"))
    for line in tail(log):
        console.print(Text(f"  {printable(line)}", style="dim"))


def facts(record: JobRecord) -> Iterator[tuple[str, str]]:
    """What a person asks first."""
    cell = record.spec.cell
    sizes = " ".join(f"{name}={value}" for name, value in cell.parameters.items())
    yield "outcome", record.outcome + (f": {record.reason}" if record.reason else "")
    if record.advice:
        yield "advice", record.advice
    yield "cell", f"{cell.label} {cell.workload} ({sizes}) {cell.task}, batch {cell.batch}, {cell.dtype}"
    yield "environment", cell.environment + (f", freeze {record.freeze}" if record.freeze else "")
    yield "place", f"block {record.spec.block}, position {record.spec.position}, cores {list(record.spec.cpus)}"
    if (artefact := record.spec.artefact) is not None:
        yield "loaded from", f"{artefact.path}, {artefact.size_bytes} bytes, SHA-256 {artefact.sha256}"
    if record.outside is not None:
        yield (
            "from outside",
            f"{duration(record.outside.spawn_to_end_ns)} from spawn to end, at {record.outside.started}{seen(record)}",
        )
    if (report := record.report) is not None:
        times = sorted(sample / report.calls for sample in report.samples_ns)
        yield (
            "per call",
            f"floor {duration(times[0])}, median {duration(times[len(times) // 2])}, slowest {duration(times[-1])}",
        )
        yield "samples", f"{len(times)} of {report.calls} calls, each about {duration(min(report.samples_ns))}"
        null = report.overhead.null_ns
        yield "of that", f"{null:.0f} ns are the timing loop's own: {duration(times[0] - null)} net"
        lost = [share for share in lost_shares(report, len(record.spec.cpus) or record.host.cores) if share > LIMIT]
        yield "disturbed", f"{len(lost)} of {len(times)} samples, worst by {max(lost, default=0):.1%} of its time"
        yield from memory(report)
        yield "versions", ", ".join(f"{name} {version}" for name, version in report.versions.items())
        for setting in report.settings:
            asked = "not asked" if setting.asked is None else f"asked {setting.asked}"
            yield "setting", f"{setting.name}: {asked}, got {setting.got}"
        for warning in report.warnings:
            yield "warned", warning


def seen(record: JobRecord) -> str:
    """What the parent saw of the job's memory, if it looked at all."""
    outside = record.outside
    if outside is None or not outside.looks:
        return ""
    most, last = size(outside.resident_peak_bytes), size(outside.resident_last_bytes)
    return f"; at most {most} resident in {outside.looks} looks, {last} at the last"


def memory(report: Report) -> Iterator[tuple[str, str]]:
    """The headlines of memory, and the joules of a call, as far as this machine says."""
    found = headlines(report)
    if found:
        yield "memory", ", ".join(f"{metric.replace('_', ' ')} {size(count)}" for metric, count in found.items())
    if report.energy is not None:
        per_call, span = report.energy.joules / report.energy.calls, report.energy.seconds
        yield "energy", f"{per_call:.3g} J a call over {span:.1f} s, {report.energy.source}, whole machine"


def phases(report: Report) -> Table:
    """The ledger of phases. Memory is that of the worker and all that it started; peaks are the kernel's."""
    table = Table("phase", *(Column(name, justify="right") for name in ("wall time", "CPU time", *MEMORY)))
    for cost in report.phases:
        sizes = cost.memory.model_dump() if cost.memory else {}
        shown = ["" if sizes.get(name) is None else size(sizes[name]) for name in MEMORY]
        table.add_row(cost.name.replace("_", " "), duration(cost.wall_ns), duration(cost.cpu_ns), *shown)
    return table


def checks(report: Report) -> Table:
    """What was compared with the float64 reference."""
    table = Table("tensor", "inputs", "relative error", "tolerance", "")
    for check in report.verification.checks:
        error = "not finite" if check.error is None else f"{check.error:.1e}"
        what = (Text(printable(check.tensor)), Text(printable(check.inputs)))
        table.add_row(*what, error, f"{check.tolerance:.1e}", "ok" if check.passed else "WRONG")
    return table


def tail(log: Path) -> list[str]:
    """The last lines of a log, each cut to a width that can be read; none if there is no log."""
    try:
        with opened(log) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_BYTES))
            lines = file.read().decode(errors="replace").splitlines()[-LOG_TAIL:]
    except OSError:
        return []
    return [line if len(line) <= LINE_WIDTH else f"{line[:LINE_WIDTH]}…" for line in lines]
