"""`sweep`: plan, measure, and show the results."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.cli.execution import describe_lock_owner, execute_plan, exit_code, provision_plan
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.results import OutputForms, present_results
from orchestrator.machine import affinity, fingerprint
from orchestrator.planning import estimate
from orchestrator.planning import plan as planning
from orchestrator.planning.estimate import MAX_RECORDS_FOR_ESTIMATE
from orchestrator.planning.sweep_file import validate_sweep
from orchestrator.processes.signals import Interrupts
from orchestrator.records import provenance, store
from schemas.record import Manifest


def run_sweep(
    said: Mapping[str, Any], root: Path, *, page: bool, as_json: bool, details: bool, command: Sequence[str]
) -> ExitCode:
    """Run a sweep to its end, show its results, and keep all of it."""
    console, wanted = Console(stderr=as_json), OutputForms(page=page, as_json=as_json, details=details)
    planned = provision_plan(planning.build_plan(validate_sweep(said), affinity.list_cores()), console)
    if planned is None:
        return ExitCode.INTERRUPTED
    known = estimate.seconds_by_mode(store.read_recent(root, MAX_RECORDS_FOR_ESTIMATE))
    # From before the run's folder exists until its manifest records the end, a signal is a value.
    with planned.environments.hold_for_cells(planned.cells_to_start) as environments, Interrupts() as interrupts:
        began = datetime.now().astimezone()
        manifest = Manifest(
            name=planned.spec.name,
            started=began.isoformat(timespec="seconds"),
            command=tuple(command),
            sweep=planned.spec,
            seed=planned.seed,
            cells=planned.cells,
            host=fingerprint.take_fingerprint(),
            environments=environments,
            warnings=planned.warnings,
            identity=provenance.make_identity(planned.spec, planned.seed, planned.cells),
        )
        run = store.create_run(root, planned.spec.name, began)
        with run.hold_lock(describe_lock_owner()):
            ended, interrupted = execute_plan(run, planned, manifest, console, known, interrupts)
    present_results(console, run, ended, wanted)
    return exit_code(ended, interrupted=interrupted)
