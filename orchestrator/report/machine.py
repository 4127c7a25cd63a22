"""The findings of the doctor, on a terminal and as a document."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.format import to_printable
from orchestrator.machine.activity import Activity
from orchestrator.machine.findings import GIB, Finding, Severity, format_count, rate_fitness
from schemas.base import SCHEMA_VERSION
from schemas.machine_type import identify_type
from schemas.record import Host

STYLES = {Severity.FINE: "green", Severity.NOTE: "cyan", Severity.WARNING: "yellow", Severity.UNFIT: "bold red"}


def build_fitness_document(host: Host, now: Activity, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the machine, its present condition, the findings and the verdict."""
    return build_findings_document(findings) | {
        "machine_type": type_to_dict(host),
        "fingerprint": host.content_hash,
        "host": host.model_dump(mode="json"),
        "now": asdict(now),
    }


def type_to_dict(host: Host) -> dict[str, Any]:
    """Return the type of a machine as data."""
    found = identify_type(host)
    return {"hash": found.content_hash, "label": found.label} | found.model_dump(mode="json")


def build_findings_document(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings and the verdict as data."""
    return {
        "schema_version": SCHEMA_VERSION,
        "verdict": rate_fitness(findings),
        "findings": [asdict(finding) for finding in findings],
    }


def format_gravest(findings: Sequence[Finding]) -> str:
    """Return the first of the gravest findings as one line; "" if the machine is fit without reservations."""
    grave = [finding for finding in findings if finding.severity in (Severity.WARNING, Severity.UNFIT)]
    if not grave:
        return ""
    first = next(finding for finding in grave if finding.severity == grave[-1].severity)
    more = f" ({len(grave) - 1} more from: python -m orchestrator doctor)" if len(grave) > 1 else ""
    return f"warning: {first.what.removesuffix('.')}{more}"


def show_fitness(console: Console, host: Host, findings: Sequence[Finding]) -> None:
    """Print the machine, the findings with the gravest last, and the verdict."""
    console.print(Text(summarise_host(host)))
    console.print()
    show_findings(console, findings)


def show_findings(console: Console, findings: Sequence[Finding]) -> None:
    """Print the findings and the verdict."""
    console.print(build_findings_table(findings))
    console.print()
    console.print(Text(f"Verdict: {rate_fitness(findings)} ({count_by_severity(findings)})", style="bold"))


def summarise_host(host: Host) -> str:
    """Return a machine in one sentence, with the hashes of its type and of its fingerprint."""
    size = f"{host.memory_bytes / GIB:.1f} GiB"
    cpu = f"{to_printable(host.cpu)}, {format_count(host.cores, 'usable core')}, {size}"
    return f"{cpu}, {host.system}, Python {host.python}; {name_hashes(host)}"


def name_hashes(host: Host) -> str:
    """Return the hash of a machine's type, and that of its fingerprint, which has the software and settings as well."""
    return f"type {identify_type(host).content_hash}, fingerprint {host.content_hash}"


def build_findings_table(findings: Sequence[Finding]) -> Table:
    """Return the findings as a table, each with its advice unless all is well."""
    drawn = Table.grid(padding=(0, 1))
    for finding in findings:
        drawn.add_row(Text(finding.severity, style=STYLES[finding.severity]), Text(to_printable(finding.what)))
        if finding.severity != Severity.FINE:
            drawn.add_row("", Text(f"→ {to_printable(finding.advice)}", style="dim"))
    return drawn


def count_by_severity(findings: Sequence[Finding]) -> str:
    """Return the number of findings by severity: `1 problem, 2 notes`."""
    names = {Severity.UNFIT: "problem", Severity.WARNING: "warning", Severity.NOTE: "note"}
    numbers = {name: sum(finding.severity == severity for finding in findings) for severity, name in names.items()}
    return ", ".join(format_count(number, name) for name, number in numbers.items() if number) or "nothing to report"
