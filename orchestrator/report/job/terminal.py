"""One job on a terminal: its ending, its request, its settings and its measurements. Fits 80 columns."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from orchestrator.files.atomic import read_last_bytes
from orchestrator.format import format_duration, format_size, to_printable
from orchestrator.records.store import job_name
from orchestrator.report.job.facts import describe_ending, describe_measurements, describe_request
from orchestrator.report.tables import make_table
from schemas.event import Report
from schemas.record import JobRecord

LOG_TAIL = 12
# A log may be huge, even in a single line: only its end is read.
LOG_BYTES = 1 << 16
LINE_WIDTH = 300
LABEL_WIDTH = 15
MEMORY = ("start", "peak", "end", "pss", "uss")

Facts = Iterator[tuple[str, str]]


def show_job(console: Console, record: JobRecord, log: Path, canary_ns: float = 0.0, *, kept: bool = True) -> None:
    """Print one job. `canary_ns` is the fastest canary of its run; a log that is not `kept` is not named."""
    console.print(Text(to_printable(job_name(record.spec)), style="bold"))
    console.print(build_facts_table(describe_ending(record)))
    console.print(add_heading("Request", build_facts_table(describe_request(record))))
    if (report := record.report) is not None:
        if report.settings:
            console.print(build_settings_table(report))
        console.print(build_phases_table(report))
        if any(cost.memory for cost in report.phases):
            console.print(build_memory_table(report))
        console.print(add_heading("Measured", build_facts_table(describe_measurements(record, report, canary_ns))))
        console.print(build_checks_table(report))
    name = f"End of the log {to_printable(str(log))}:" if kept else "End of the log:"
    # A path on one line can be copied.
    console.print(Text(f"\n{name}", style="dim"), soft_wrap=True)
    for line in read_log_tail(log):
        console.print(Text(f"  {to_printable(line)}", style="dim"))


def build_facts_table(facts: Facts) -> Table:
    """Return a table with labels on the left and texts on the right; equal labels in a row are shown once."""
    drawn, before = Table.grid(padding=(0, 1)), ""
    drawn.add_column(width=LABEL_WIDTH, justify="right", style="dim")
    drawn.add_column(overflow="fold")
    for label, text in facts:
        drawn.add_row("" if label == before else label, Text(to_printable(text)))
        before = label
    return drawn


def add_heading(heading: str, table: Table) -> Table:
    """Return a table with a heading above it."""
    table.title, table.title_justify, table.title_style = Text(f"\n{heading}"), "left", "bold"
    return table


def make_ruled_table(heading: str, *columns: str) -> Table:
    """Return an empty table with a heading above it and a line below its column names."""
    return add_heading(heading, make_table(*(Column(name, overflow="fold") for name in columns), gap=1))


def build_settings_table(report: Report) -> Table:
    """Return the settings asked of the framework and its surroundings, and the values read back."""
    drawn = make_ruled_table("Settings", "setting", "asked", "got", "")
    drawn.columns[0].no_wrap = True
    for setting in report.settings:
        values = (setting.name, "–" if setting.asked is None else setting.asked, setting.got)
        drawn.add_row(*(Text(to_printable(value)) for value in values), "" if setting.honoured else "NOT AS ASKED")
    return drawn


def build_phases_table(report: Report) -> Table:
    """Return the time of each phase: of all threads on cores, and of the main thread without one, and why."""
    drawn = make_numbers_table("Phases", "phase", "wall", "CPU", "waiting", "I/O", "asleep", "stopped")
    for cost in report.phases:
        times = (cost.wall_ns, cost.cpu_ns, cost.waiting_ns, cost.io_ns, cost.asleep_ns, cost.stopped_ns or None)
        shown = ["" if took is None else format_duration(took) for took in times]
        drawn.add_row(cost.name.replace("_", " "), *shown)
    return drawn


def build_memory_table(report: Report) -> Table:
    """Return the memory of each phase: that of the worker and its descendants; peaks are the kernel's."""
    drawn = make_numbers_table("Memory", "phase", *MEMORY)
    for cost in report.phases:
        if cost.memory is not None:
            sizes = cost.memory.model_dump()
            shown = ["" if sizes[name] is None else format_size(sizes[name]) for name in MEMORY]
            drawn.add_row(cost.name.replace("_", " "), *shown)
    return drawn


def make_numbers_table(heading: str, *columns: str) -> Table:
    """Return an empty table of which all columns but the first hold numbers."""
    drawn = make_ruled_table(heading, *columns)
    for column in drawn.columns[1:]:
        column.justify, column.no_wrap = "right", True
    return drawn


def build_checks_table(report: Report) -> Table:
    """Return the checks against the float64 reference: norm of the error and largest error, over the reference's."""
    referee = report.verification.referee
    dtype = "float32 alone" if report.verification.agreement else "float64"
    heading = f"Verified against {to_printable(referee)}:eager in {dtype}" if referee else "Verified"
    drawn = make_ruled_table(heading, "tensor", "inputs", "error", "largest", "tolerance", "")
    for check in report.verification.checks:
        errors = ("not finite" if error is None else f"{error:.1e}" for error in (check.error, check.worst))
        what = (Text(to_printable(check.tensor)), Text(to_printable(check.inputs)))
        drawn.add_row(*what, *errors, f"{check.tolerance:.1e}", "ok" if check.passed else "WRONG")
    return drawn


def read_log_tail(log: Path) -> list[str]:
    """Return the last lines of a log, each cut to a readable width; none if there is no log."""
    try:
        # The cut may fall within a character.
        lines = read_last_bytes(log, LOG_BYTES).decode(errors="replace").splitlines()[-LOG_TAIL:]
    except OSError:
        return []
    return [line if len(line) <= LINE_WIDTH else f"{line[:LINE_WIDTH]}…" for line in lines]
