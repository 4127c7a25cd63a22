"""`sweep`: plan, measure, and show the results."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.analysis.run import Run
from orchestrator.cli.core_claims import claim_for_plan
from orchestrator.cli.execution import describe_resumption, execute_plan, exit_code, provision_plan
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.output import print_line
from orchestrator.cli.results import OutputForms, present_results
from orchestrator.execution.planned_run import begin_run, describe_lock_owner
from orchestrator.format import to_printable
from orchestrator.machine import affinity, fingerprint
from orchestrator.planning import plan as planning
from orchestrator.planning.sweep_file import validate_sweep
from orchestrator.processes.signals import Interrupts
from orchestrator.records import store
from schemas.record import Host


def run_sweep(
    said: Mapping[str, Any], root: Path, wanted: OutputForms, *, wait: bool, command: Sequence[str]
) -> ExitCode:
    """Run a sweep to its end, show its results, and keep all of it."""
    spec = validate_sweep(said)
    if spec.is_shared_out:
        from orchestrator.cli.shared_runs import run_shared_sweep

        return run_shared_sweep(spec, root, wanted, command)
    console, machine = Console(stderr=wanted.as_json), fingerprint.take_fingerprint()
    planned = planning.build_plan(spec, affinity.list_cores())
    # Before anything is made: if the cores are taken, the sweep must leave nothing behind.
    with claim_for_plan(planned, machine, root, console, wait=wait) as claim:
        provisioned = provision_plan(planned, console)
        if provisioned is None:
            return ExitCode.INTERRUPTED
        planned = dataclasses.replace(provisioned, cores=claim.cores)
        run, ended, interrupted = measure_plan(planned, machine, root, console, command, claim.doubt)
    present_results(console, run, ended, wanted)
    if interrupted:
        print_line(console, to_printable(describe_resumption(run)))
    return exit_code(ended, interrupted=interrupted)


def measure_plan(
    planned: planning.Plan, machine: Host, root: Path, console: Console, command: Sequence[str], doubt: str
) -> tuple[store.Store, Run, bool]:
    """Run a plan in a new folder; return that, the results, and whether a signal or a key ended the sweep.

    `doubt` is a line about the machine.
    """
    # From before the run's folder exists until its manifest records the end, a signal is a value.
    with planned.environments.hold_for_cells(planned.cells_to_start) as environments, Interrupts() as interrupts:
        begun = begin_run(planned, machine, root, command, environments)
        print_line(console, doubt)  # not before: a folder that cannot be written to needs no doubt about the machine
        with begun.folder.hold_lock(describe_lock_owner()):
            ended, interrupted = execute_plan(begun, console, interrupts)
    return begun.folder, ended, interrupted
