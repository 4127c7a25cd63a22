"""`list`: the frameworks, modes, workloads, suites and tasks that exist, and what was verified here."""

from pathlib import Path

from rich.console import Console

from orchestrator.analysis.verified_modes import find_verified_outcomes
from orchestrator.cli.output import print_json
from orchestrator.records import store
from orchestrator.report import catalogue

MAX_RECORDS = 1000


def show_list(root: Path, *, as_json: bool) -> None:
    """Show what exists and what is installed, with what the newest runs here have verified."""
    known = find_verified_outcomes(store.read_recent(root, MAX_RECORDS))
    if as_json:
        print_json(catalogue.build_list_document(known))
    else:
        catalogue.show_list(Console(), known)
