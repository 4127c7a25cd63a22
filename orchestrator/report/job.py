"""One job on a terminal: its ending, its request, its settings and its measurements. Fits 80 columns."""

import os
from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.report.job_facts import asked, happened, measured
from orchestrator.report.units import duration, printable, size
from orchestrator.store import job_name, opened
from schemas.event import Report
from schemas.record import JobRecord

LOG_TAIL = 12
# A log may be huge, even in a single line: only its end is read.
LOG_BYTES = 1 << 16
LINE_WIDTH = 300
LABEL_WIDTH = 15
MEMORY = ("start", "peak", "end", "pss", "uss")

Facts = Iterator[tuple[str, str]]


def show(console: Console, record: JobRecord, log: Path, canary_ns: float = 0.0, *, kept: bool = True) -> None:
    """Print one job. `canary_ns` is the fastest canary of its run; a log that is not `kept` is not named."""
    console.print(Text(printable(job_name(record.spec)), style="bold"))
    console.print(grid(happened(record)))
    console.print(headed("Request", grid(asked(record))))
    if (report := record.report) is not None:
        if report.settings:
            console.print(settings(report))
        console.print(phases(report))
        console.print(headed("Measured", grid(measured(record, report, canary_ns))))
        console.print(checks(report))
    name = f"End of the log {printable(str(log))}:" if kept else "End of the log:"
    # A path on one line can be copied.
    console.print(Text(f"\n{name}", style="dim"), soft_wrap=True)
    for line in tail(log):
        console.print(Text(f"  {printable(line)}", style="dim"))


def grid(facts: Facts) -> Table:
    """Return a table with labels on the left and texts on the right; equal labels in a row are shown once."""
    drawn, before = Table.grid(padding=(0, 1)), ""
    drawn.add_column(width=LABEL_WIDTH, justify="right", style="dim")
    drawn.add_column(overflow="fold")
    for label, text in facts:
        drawn.add_row("" if label == before else label, Text(printable(text)))
        before = label
    return drawn


def headed(heading: str, table: Table) -> Table:
    """Return a table with a heading above it."""
    table.title, table.title_justify, table.title_style = Text(f"\n{heading}"), "left", "bold"
    return table


def ruled(heading: str, *columns: str) -> Table:
    """Return an empty table with a heading above it and a line below its column names."""
    drawn = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name in columns:
        drawn.add_column(name, overflow="fold")
    return headed(heading, drawn)


def settings(report: Report) -> Table:
    """Return the settings asked of the framework and its surroundings, and the values read back."""
    drawn = ruled("Settings", "setting", "asked", "got", "")
    drawn.columns[0].no_wrap = True
    for setting in report.settings:
        values = (setting.name, "–" if setting.asked is None else setting.asked, setting.got)
        drawn.add_row(*(Text(printable(value)) for value in values), "" if setting.honoured else "NOT AS ASKED")
    return drawn


def phases(report: Report) -> Table:
    """Return the costs of each phase. Memory is that of the worker and its descendants; peaks are the kernel's."""
    drawn = ruled("Phases", "phase", "wall", "CPU", *MEMORY)
    for column in drawn.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for cost in report.phases:
        sizes = cost.memory.model_dump() if cost.memory else {}
        shown = ["" if sizes.get(name) is None else size(sizes[name]) for name in MEMORY]
        drawn.add_row(cost.name.replace("_", " "), duration(cost.wall_ns), duration(cost.cpu_ns), *shown)
    return drawn


def checks(report: Report) -> Table:
    """Return the checks against the float64 reference: norm of the error and largest error, over the reference's."""
    referee = report.verification.referee
    heading = f"Verified against {printable(referee)}:eager in float64" if referee else "Verified"
    drawn = ruled(heading, "tensor", "inputs", "error", "largest", "tolerance", "")
    for check in report.verification.checks:
        errors = ("not finite" if error is None else f"{error:.1e}" for error in (check.error, check.worst))
        what = (Text(printable(check.tensor)), Text(printable(check.inputs)))
        drawn.add_row(*what, *errors, f"{check.tolerance:.1e}", "ok" if check.passed else "WRONG")
    return drawn


def tail(log: Path) -> list[str]:
    """Return the last lines of a log, each cut to a readable width; none if there is no log."""
    try:
        with opened(log) as file:
            # The cut may fall within a character, hence `errors="replace"` below.
            file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_BYTES))
            lines = file.read().decode(errors="replace").splitlines()[-LOG_TAIL:]
    except OSError:
        return []
    return [line if len(line) <= LINE_WIDTH else f"{line[:LINE_WIDTH]}…" for line in lines]
