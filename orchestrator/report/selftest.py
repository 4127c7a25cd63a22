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
    return f"{event.promise.name}: {'passed' if event.has_passed else 'FAILED'} after {event.took_s:.0f} s"


def show_selftest(console: Console, findings: Sequence[CheckResult], host: Host, where: str) -> None:
    """Print all readings and the conclusion."""
    for finding in findings:
        console.print()
        console.print(build_readings_table(finding))
    console.print()
    console.print(escape(summarise_checks(findings)), highlight=False)
    console.print(escape(f"{host.cpu}, {host.cores} cores, {host.system}, Python {host.python}"), highlight=False)
    console.print(f"Records and logs of all jobs: {escape(where)}", highlight=False, soft_wrap=True)


def build_readings_table(finding: CheckResult) -> Table:
    """Return the table of one check's readings."""
    columns = [Column(heading, width=width) for heading, width in (("reading", 23), ("expected", 18), ("got", 29))]
    title = f"{finding.promise.name}: {finding.promise.says}"
    drawn = make_table(*columns, Column("", width=6, no_wrap=True), title=title, bold=True)
    for figure in finding.figures:
        drawn.add_row(Text(figure.what), Text(figure.promised), Text(figure.got), MARKS[figure.kept])
    return drawn


def summarise_checks(findings: Sequence[CheckResult]) -> str:
    """Return how many checks passed, and which failed."""
    if not findings:
        return "No check was completed."
    broken = [finding.promise for finding in findings if not finding.has_passed]
    took = f"in {sum(finding.took_s for finding in findings):.0f} s"
    if not broken:
        return f"All {len(findings)} checks passed {took}."
    names = ", ".join(promise.name for promise in broken)
    return " ".join(
        [
            f"{len(broken)} of {len(findings)} checks failed {took}: {names}.",
            "Until they pass, trust no comparison made on this machine; stop other work on it and try again.",
            *(describe_chance(promise) for promise in broken if promise.by_chance),
        ]
    )


def describe_chance(promise: Check) -> str:
    """Return how often a check fails although the instrument is right."""
    return f"By chance alone, {promise.name} fails in up to {100 * promise.by_chance:g} % of runs."


def build_selftest_document(run: str, findings: Sequence[CheckResult], host: Host, stopped: str) -> dict[str, Any]:
    """Return the same as data. `stopped` is empty unless a signal ended the self-test."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run": run,
        "host": host.model_dump(mode="json"),
        "stopped": stopped,
        "kept": all(finding.has_passed for finding in findings),
        "promises": [check_result_to_dict(finding) for finding in findings],
    }


def check_result_to_dict(finding: CheckResult) -> dict[str, Any]:
    """Return one check as data."""
    return {
        "name": finding.promise.name,
        "says": finding.promise.says,
        "kept": finding.has_passed,
        "took_s": finding.took_s,
        "figures": [reading_to_dict(figure) for figure in finding.figures],
    }


def reading_to_dict(figure: Reading) -> dict[str, Any]:
    """Return one reading as data. `kept` is null for a reading that is shown but not judged."""
    return {
        "what": figure.what,
        "promised": figure.promised,
        "got": figure.got,
        "kept": figure.kept,
        "numbers": {name: finite_or_none(value) for name, value in figure.numbers.items()},
    }
