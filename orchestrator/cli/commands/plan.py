"""`plan` and `list`: what a sweep would run, and what exists."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.analysis.verified_modes import find_verified_outcomes
from orchestrator.cli.output import print_json
from orchestrator.machine import affinity
from orchestrator.planning import estimate
from orchestrator.planning import plan as planning
from orchestrator.planning.estimate import MAX_RECORDS_FOR_ESTIMATE
from orchestrator.planning.sweep_file import validate_sweep
from orchestrator.records import store
from orchestrator.report import catalogue, plan

MAX_RECORDS_FOR_LIST = 1000


def show_plan(said: Mapping[str, Any], root: Path, *, as_json: bool) -> None:
    """Show what a sweep would run."""
    planned = planning.build_plan(validate_sweep(said), affinity.list_cores())
    known = estimate.seconds_by_mode(store.read_recent(root, MAX_RECORDS_FOR_ESTIMATE))
    if as_json:
        print_json(plan.build_plan_document(planned, known))
    else:
        plan.show_plan(Console(), planned, known)


def show_list(root: Path, *, as_json: bool) -> None:
    """Show what exists and what is installed, with what the newest runs here have verified."""
    known = find_verified_outcomes(store.read_recent(root, MAX_RECORDS_FOR_LIST))
    if as_json:
        print_json(catalogue.build_list_document(known))
    else:
        catalogue.show_list(Console(), known)
