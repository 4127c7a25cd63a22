"""`admit`: publications, recomputed from their samples."""

from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.output import print_json, print_line
from orchestrator.export.publication.admit import Decision, decide_all
from orchestrator.format import to_printable
from orchestrator.machine.findings import format_count
from schemas.base import SCHEMA_VERSION


def run_admit(folder: Path, *, as_json: bool) -> ExitCode:
    """Check one publication or a folder of them, and print one line for each."""
    decided = []
    # `map`, unlike a loop, holds no publication while the next one is read.
    for line, facts in map(summarise_decision, decide_all(folder, datetime.now(UTC))):
        decided.append(facts)
        if not as_json:
            print_line(Console(), to_printable(line))
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "publications": decided})
    return ExitCode.FINE if all(each["admitted"] for each in decided) else ExitCode.CHECK_FAILED


def summarise_decision(decision: Decision) -> tuple[str, dict[str, object]]:
    """Return the decision on one folder as a line and as data, without the publication."""
    return describe_decision(decision), decision_to_dict(decision)


def describe_decision(decision: Decision) -> str:
    """Return the decision on one folder as a line."""
    if decision.admitted is None:
        return f"refused: {decision.folder}: {decision.refusal}"
    found = decision.admitted.publication
    size = f"{format_count(found.blocks, 'block')}, {format_count(len(found.groups), 'computation')}"
    return f"admitted: {decision.folder}: {size}, machine type {found.machine}"


def decision_to_dict(decision: Decision) -> dict[str, object]:
    """Return the decision on one folder as data."""
    admitted = decision.admitted
    return {
        "folder": str(decision.folder),
        "admitted": admitted is not None,
        "reason": decision.refusal,
        "machine": None if admitted is None else admitted.publication.machine,
    }
