"""Implementations of the commands. Each returns the program's exit code or nothing."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.analysis.run import Run
from orchestrator.analysis.stopping import is_sweep_precise
from orchestrator.cli.commands.show import OutputForms, present_results
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.output import print_line
from orchestrator.cli.provisioning import create_missing
from orchestrator.errors import UsageError
from orchestrator.execution.keyboard import Keyboard
from orchestrator.execution.session import open_session
from orchestrator.execution.sweep import Sweep
from orchestrator.format import to_printable
from orchestrator.machine import affinity, fingerprint
from orchestrator.planning import estimate
from orchestrator.planning import plan as planning
from orchestrator.planning.estimate import MAX_RECORDS_FOR_ESTIMATE
from orchestrator.planning.sweep_file import validate_sweep
from orchestrator.processes import descendants
from orchestrator.processes.signals import Interrupts
from orchestrator.progress.board import Board
from orchestrator.progress.dashboard import Dashboard
from orchestrator.progress.views import PlainLines, ResilientView, View
from orchestrator.records import provenance, store
from orchestrator.report import plan
from schemas.environment import EnvironmentRecord
from schemas.record import JobRecord, Manifest


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


def provision_plan(planned: planning.Plan, console: Console) -> planning.Plan | None:
    """Look for the interpreters that a plan's cells need, create missing environments, and plan again after each.

    Return None if a signal came first.

    Raises:
        UsageError: there is no such interpreter, an environment cannot be created, or nothing can run in them.
    """
    environments = planned.environments
    replan = partial(planning.rebuild_plan, planned.spec, planned.seed, planned.available, environments)
    if environments.inspect_for_cells(planned.cells_to_start):
        planned = replan()
    missing = environments.list_missing(planned.cells_to_start)
    if not create_missing(environments, missing, console):
        return None
    return replan() if missing else planned


def resume_run(root: Path, name: str, *, force: bool, page: bool, as_json: bool, details: bool) -> ExitCode:
    """Resume an interrupted run as it was begun, and show its results."""
    run, console = store.find_run(root, name), Console(stderr=as_json)
    wanted = OutputForms(page=page, as_json=as_json, details=details)
    with run.hold_lock(describe_lock_owner()) as left:
        descendants.end_leftovers(left)  # what a killed orchestrator left would disturb the jobs
        manifest = run.read_manifest()
        planned = provision_plan(planning.rebuild_plan(manifest.sweep, manifest.seed, affinity.list_cores()), console)
        if planned is None:
            return ExitCode.INTERRUPTED
        with planned.environments.hold_for_cells(planned.cells_to_start) as environments:
            ended, interrupted = continue_run(run, planned, manifest, environments, console, force=force)
    present_results(console, run, ended, wanted)
    return exit_code(ended, interrupted=interrupted)


def continue_run(
    run: store.Store,
    planned: planning.Plan,
    manifest: Manifest,
    environments: Mapping[str, EnvironmentRecord],
    console: Console,
    *,
    force: bool,
) -> tuple[Run, bool]:
    """Run the jobs that a run lacks, in these environments."""
    changed = check_changes(run, planned, manifest, environments, force=force)
    records, damaged = run.salvage_records()
    for file in damaged:
        print_line(console, to_printable(f"warning: {file} was damaged and is set aside; its job runs again"))
    if manifest.finished and not damaged:
        print_line(console, "Nothing is missing from this run.")
        return Run(name=run.name, manifest=manifest, records=tuple(records)), False
    mixed = tuple(dict.fromkeys([*manifest.mixed, *changed]))
    manifest = manifest.model_copy(update={"stopped": "", "finished": False, "mixed": mixed})
    known = estimate.seconds_by_mode(records)
    with Interrupts() as interrupts:
        return execute_plan(run, planned, manifest, console, known, interrupts, earlier=records, resumed=True)


def check_changes(
    run: store.Store,
    planned: planning.Plan,
    manifest: Manifest,
    environments: Mapping[str, EnvironmentRecord],
    *,
    force: bool,
) -> list[str]:
    """List what has changed since a run was begun, which only `force` allows.

    Raises:
        UsageError: resuming would mix results, or run other cells.
    """
    if planned.cells != manifest.cells:
        edited = ", ".join(provenance.find_edited_workloads(manifest.cells, planned.cells))
        why = f"the code of {edited} has changed" if edited else "its sweep now yields other cells"
        raise UsageError(f"{run.name} cannot be resumed: {why}; begin a new run")
    now = provenance.make_identity(manifest.sweep, manifest.seed, manifest.cells)
    changed = provenance.find_changes(manifest, now, fingerprint.take_fingerprint(), environments)
    if changed and not force:
        raise UsageError(
            f"{run.name} cannot be resumed as it was begun: {'; '.join(changed)}; "
            "begin a new run, or mix the two with --force"
        )
    return changed


def describe_lock_owner() -> str:
    """Return the content of a run's lock: the writer's process id, and the mark of everything it starts."""
    return f"{os.getpid()} {descendants.PROCESS_MARK}"


def execute_plan(
    run: store.Store,
    planned: planning.Plan,
    manifest: Manifest,
    console: Console,
    known: Mapping[str, float],
    interrupts: Interrupts,
    *,
    earlier: Sequence[JobRecord] = (),
    resumed: bool = False,
) -> tuple[Run, bool]:
    """Run a plan, or what is left of it, in the folder of its run; return the results, and whether it ended early."""
    try:
        run.write_manifest(manifest)
        ended = measure_jobs(run, planned, manifest, console, known, interrupts, earlier=earlier, resumed=resumed)
        run.write_manifest(ended[0].manifest)
    except OSError as error:
        raise UsageError(
            f"{error.filename or run.folder}: {error.strerror}; everything before is kept; fix that, and resume "
            f"with: python -m orchestrator resume {run.name}"
        ) from error
    return ended


def measure_jobs(
    run: store.Store,
    planned: planning.Plan,
    manifest: Manifest,
    console: Console,
    known: Mapping[str, float],
    interrupts: Interrupts,
    *,
    earlier: Sequence[JobRecord],
    resumed: bool,
) -> tuple[Run, bool]:
    """Run the jobs; return the run with its final manifest, and whether a signal or a key ended it."""
    for line in (*plan.describe_code_origins(planned), *(f"warning: {warning}" for warning in planned.warnings)):
        print_line(console, line)
    now, machine = time.monotonic(), fingerprint.take_fingerprint()  # a resumed run may have begun on another machine
    block_s = estimate.estimate_block_s(planned.runnable, planned.spec.timing, known)
    board = Board(plan=planned, started_s=now, now_s=now, guess_s=block_s)
    # A dashboard on a worker's core would disturb what it shows.
    cores = {core for cell in planned.cells for core in planning.choose_cpus(cell.threads, planned.available)}
    with (
        open_session(cores, planned.environments, make_keyboard(console), interrupts) as session,
        ResilientView(make_view(board, console, session.keys)) as shown,
    ):
        going = Sweep(
            plan=planned,
            launcher=session.launcher,
            store=run,
            host=machine,
            publish=shown,
            interrupts=session.interrupts,
            earlier=earlier,
            resumed=resumed,
            keys=session.keys,
            enough=lambda records, block: is_sweep_precise(planned.spec, planned.cells, records, block),
        )
        stopped = going.run()
    ended = manifest.model_copy(update={"stopped": stopped, "finished": not going.stopped_early})
    return Run(name=run.name, manifest=ended, records=tuple(going.records)), going.stopped_early


def is_live(console: Console) -> bool:
    """Return whether this terminal can redraw what it shows."""
    return console.is_terminal and not console.is_dumb_terminal


def make_keyboard(console: Console) -> Keyboard:
    """Return the keys of the dashboard's terminal; none without a dashboard, or if input is not a terminal."""
    return Keyboard(sys.stdin.fileno() if is_live(console) and sys.stdin is not None and sys.stdin.isatty() else None)


def make_view(board: Board, console: Console, keys: Keyboard) -> View:
    """Return the live dashboard for a terminal, plain lines for anything else."""
    return Dashboard(board, console, keys) if is_live(console) else PlainLines(board, console)


def exit_code(results: Run, *, interrupted: bool) -> ExitCode:
    """Return 130 if a signal or a key ended the sweep, 1 if a job failed. Unsupported and skipped are no failures."""
    if interrupted:
        return ExitCode.INTERRUPTED
    failed = any(record.outcome not in ("measured", "unsupported", "skipped") for record in results.last_attempts)
    return ExitCode.SOME_JOBS_FAILED if failed else ExitCode.FINE
