"""The results of a self-test: a line for each check as it runs, tables and a conclusion, or one document."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from orchestrator.analysis.rows import finite_or_none
from orchestrator.report.tables import make_table
from orchestrator.selftest.check import Check, Reading
from orchestrator.selftest.run import CheckResult
from schemas.base import SCHEMA_VERSION
from schemas.record import Host

# None is a reading that is shown but not judged.
MARKS = {True: Text("passed", style="green"), False: Text("FAILED", style="bold red"), None: Text("")}


def format_check_event(event: Check | CheckResult) -> str:
    """Return a line for the start of a check, or for its result."""
    if isinstance(event, Check):
        jobs = len(event.cells) * event.blocks
        return f"{event.name}: running at most {jobs} jobs ..."
    return f"{event.check.name}: {'passed' if event.has_passed else 'FAILED'} after {event.took_s:.0f} s"


def show_selftest(console: Console, results: Sequence[CheckResult], host: Host, where: str) -> None:
    """Print all readings and the conclusion."""
    for result in results:
        console.print()
        console.print(build_readings_table(result))
    console.print()
    console.print(escape(summarise_checks(results)), highlight=False)
    console.print(escape(f"{host.cpu}, {host.cores} cores, {host.system}, Python {host.python}"), highlight=False)
    console.print(f"Records and logs of all jobs: {escape(where)}", highlight=False, soft_wrap=True)


def build_readings_table(result: CheckResult) -> Table:
    """Return the table of one check's readings."""
    columns = [Column(heading, width=width) for heading, width in (("reading", 23), ("expected", 18), ("got", 29))]
    title = f"{result.check.name}: {result.check.statement}"
    drawn = make_table(*columns, Column("", width=6, no_wrap=True), title=title, bold=True)
    for reading in result.readings:
        drawn.add_row(Text(reading.quantity), Text(reading.expected), Text(reading.found), MARKS[reading.passed])
    return drawn


def summarise_checks(results: Sequence[CheckResult]) -> str:
    """Return how many checks passed, and which failed."""
    if not results:
        return "No check was completed."
    broken = [result.check for result in results if not result.has_passed]
    took = f"in {sum(result.took_s for result in results):.0f} s"
    if not broken:
        return f"All {len(results)} checks passed {took}."
    names = ", ".join(check.name for check in broken)
    return " ".join(
        [
            f"{len(broken)} of {len(results)} checks failed {took}: {names}.",
            "Until they pass, trust no comparison made on this machine; stop other work on it and try again.",
            *(describe_chance(check) for check in broken if check.failing_by_chance),
        ]
    )


def describe_chance(check: Check) -> str:
    """Return how often a check fails although the instrument is right."""
    return f"By chance alone, {check.name} fails in up to {100 * check.failing_by_chance:g} % of runs."


def build_selftest_document(run: str, results: Sequence[CheckResult], host: Host, stopped: str) -> dict[str, Any]:
    """Return the same as data. `stopped` is empty unless a signal ended the self-test."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run": run,
        "host": host.model_dump(mode="json"),
        "stopped": stopped,
        "kept": all(result.has_passed for result in results),
        "promises": [check_result_to_dict(result) for result in results],
    }


def check_result_to_dict(result: CheckResult) -> dict[str, Any]:
    """Return one check as data."""
    return {
        "name": result.check.name,
        "says": result.check.statement,
        "kept": result.has_passed,
        "took_s": result.took_s,
        "figures": [reading_to_dict(reading) for reading in result.readings],
    }


def reading_to_dict(reading: Reading) -> dict[str, Any]:
    """Return one reading as data. `kept` is null for a reading that is shown but not judged."""
    return {
        "what": reading.quantity,
        "promised": reading.expected,
        "got": reading.found,
        "kept": reading.passed,
        "numbers": {name: finite_or_none(value) for name, value in reading.numbers.items()},
    }
