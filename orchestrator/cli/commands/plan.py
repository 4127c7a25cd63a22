"""`plan`: the jobs that a sweep would run, and their time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.cli.output import print_json
from orchestrator.machine import affinity, fingerprint
from orchestrator.planning import estimate
from orchestrator.planning import plan as planning
from orchestrator.planning.estimate import MAX_RECORDS_FOR_ESTIMATE
from orchestrator.planning.sweep_file import validate_sweep
from orchestrator.records import store
from orchestrator.report import plan


def show_plan(request: Mapping[str, Any], root: Path, *, as_json: bool) -> None:
    """Show what a sweep would run."""
    spec, layout = validate_sweep(request), None
    host = None if spec.is_shared_out else fingerprint.take_fingerprint()
    known = estimate.seconds_by_mode(store.read_recent(root, MAX_RECORDS_FOR_ESTIMATE), host)
    if spec.is_shared_out:
        from orchestrator.cli.shared_plan import plan_shares

        shared = plan_shares(spec, known)
        planned, layout = shared.plan, shared.layout
    else:
        planned = planning.build_plan(spec, affinity.list_cores())
    if as_json:
        print_json(plan.build_plan_document(planned, known, layout))
    else:
        plan.show_plan(Console(), planned, known, layout)
