"""Execution of a plan in the folder of its run, for `sweep` and `resume`."""

import shlex
import sys
import time
from collections.abc import Collection
from functools import partial

from rich.console import Console

from orchestrator.analysis.run import Run
from orchestrator.cli.completion import DEFAULT_RUNS
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.output import print_line
from orchestrator.cli.provisioning import create_missing
from orchestrator.errors import UsageError
from orchestrator.execution.keyboard import Keyboard
from orchestrator.execution.planned_run import PlannedRun
from orchestrator.format import to_printable
from orchestrator.planning import estimate
from orchestrator.planning import plan as planning
from orchestrator.planning.needs import describe_needs
from orchestrator.processes.signals import Interrupts
from orchestrator.progress.board import Board
from orchestrator.progress.dashboard import Dashboard
from orchestrator.progress.views import PlainLines, ResilientView, View
from orchestrator.records import store
from orchestrator.report import plan


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


def execute_plan(planned: PlannedRun, console: Console, interrupts: Interrupts) -> tuple[Run, bool]:
    """Run a plan, or what is left of it, in the folder of its run; return the results, and whether it ended early."""
    whole, keys = planned.plan, make_keyboard(console)
    try:
        planned.write_manifest()
        doubts = (f"warning: {warning}" for warning in whole.warnings)
        for line in (*plan.describe_code_origins(whole), *doubts, *describe_needs(whole, planned.known)):
            print_line(console, line)
        return planned.measure(interrupts, ResilientView(make_view(make_board(planned), console, keys)), keys)
    except OSError as error:
        raise UsageError(
            f"{error.filename or planned.folder.folder}: {error.strerror}; everything before is kept; fix that, and "
            f"resume with: {format_resume_command(planned.folder)}"
        ) from error


def make_board(planned: PlannedRun) -> Board:
    """Return the state of a sweep before its first job."""
    now, whole = time.monotonic(), planned.plan
    guesses_s = {cell.id: whole.estimate_job_s(cell, planned.known) for cell in whole.runnable}
    return Board(
        plan=whole,
        started_s=now - estimate.total_duration_s(planned.earlier),
        now_s=now,
        guess_s=sum(guesses_s.values()),
        guesses_s=guesses_s,
    )


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
