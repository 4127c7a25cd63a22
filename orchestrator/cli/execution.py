"""Execution of a plan in the folder of its run, for `sweep` and `resume`."""

import os
import shlex
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from functools import partial

from rich.console import Console

from orchestrator.analysis.run import Run
from orchestrator.analysis.stopping import has_reached_goal
from orchestrator.cli.completion import DEFAULT_RUNS
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.output import print_line
from orchestrator.cli.provisioning import create_missing
from orchestrator.environments.cache import find_cache_folder
from orchestrator.errors import UsageError
from orchestrator.execution.keyboard import Keyboard
from orchestrator.execution.peak_rates import PeakRates
from orchestrator.execution.session import open_session
from orchestrator.execution.sweep import Sweep
from orchestrator.format import to_printable
from orchestrator.machine import fingerprint
from orchestrator.planning import estimate
from orchestrator.planning import plan as planning
from orchestrator.planning.needs import describe_needs
from orchestrator.processes import descendants
from orchestrator.processes.signals import Interrupts
from orchestrator.progress.board import Board
from orchestrator.progress.dashboard import Dashboard
from orchestrator.progress.views import PlainLines, ResilientView, View
from orchestrator.records import store
from orchestrator.report import plan
from schemas.record import JobRecord, Manifest


def provision_plan(planned: planning.Plan, console: Console, required: Collection[str] = ()) -> planning.Plan | None:
    """Look for the interpreters that a plan's cells need, create missing environments, and plan again after each.

    Cells of an environment that cannot be created are unsupported. Return None if a signal came first.

    Raises:
        UsageError: there is no such interpreter, a required environment cannot be created, or nothing can run.
    """
    environments, failures = planned.environments, dict[str, str]()
    replan = partial(
        planning.rebuild_plan, planned.spec, planned.seed, planned.available, environments, planned.extensions
    )
    if environments.inspect_for_cells(planned.cells_to_start):
        planned = replan()
    missing = environments.list_missing(planned.cells_to_start)
    if missing:
        print_line(console, "The budget counts from the first job on: creating environments is no part of it.")
    if not create_missing(environments, missing, console, failures):
        return None
    for name in failures.keys() & set(required):
        raise UsageError(failures[name])
    environments.remember_failures(failures)
    planned = replan() if missing else planned
    for reason in failures.values():
        print_line(console, to_printable(f"warning: {reason}; its cells are not run"))
    return planned


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
        run.write_sweep_file(manifest)
        ended = measure_jobs(run, planned, manifest, console, known, interrupts, earlier=earlier, resumed=resumed)
        run.write_manifest(ended[0].manifest)
    except OSError as error:
        raise UsageError(
            f"{error.filename or run.folder}: {error.strerror}; everything before is kept; fix that, and resume "
            f"with: {format_resume_command(run)}"
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
    doubts = (f"warning: {warning}" for warning in planned.warnings)
    for line in (*plan.describe_code_origins(planned), *doubts, *describe_needs(planned, known)):
        print_line(console, line)
    now, machine = time.monotonic(), fingerprint.take_fingerprint()  # a resumed run may have begun on another machine
    peaks = PeakRates.load(find_cache_folder(), machine)
    guesses_s = {cell.id: estimate.estimate_job_s(cell, planned.spec.timing, known) for cell in planned.runnable}
    board = Board(
        plan=planned,
        started_s=now - estimate.total_duration_s(earlier),
        now_s=now,
        guess_s=sum(guesses_s.values()),
        guesses_s=guesses_s,
    )
    # A dashboard on a worker's core would disturb what it shows.
    cores = {core for cell in planned.cells for core in planned.choose_cores(cell)}
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
            peaks=peaks,
            known=known,
            enough=lambda records, block: has_reached_goal(planned.spec, planned.cells, records, block, planned.looks),
        )
        stopped = going.run()
    peaks.save()
    ended = manifest.model_copy(update={"stopped": stopped, "finished": not going.stopped_early})
    return Run(name=run.name, manifest=ended, records=tuple(going.records)), going.stopped_early


def describe_resumption(run: store.Store) -> str:
    """Return how a run that was interrupted continues."""
    return f"This run is unfinished. Continue it with: {format_resume_command(run)}"


def format_resume_command(run: store.Store) -> str:
    """Return the command that continues a run, for a shell in the current folder."""
    named = run.name if run.folder.parent == DEFAULT_RUNS else str(run.folder)
    return f"python -m orchestrator resume {shlex.quote(named)}"


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
