"""Implementations of the commands. Each returns the program's exit code or nothing."""

import dataclasses
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator import condition, estimate, family, host, identity, store
from orchestrator import plan as planning
from orchestrator.analysis.disturbance import find_canary_floor_ns
from orchestrator.analysis.results import Group, group_results, is_sweep_precise
from orchestrator.analysis.verified import find_verified_outcomes
from orchestrator.attempts import last_attempts
from orchestrator.board import Board
from orchestrator.dashboard import Dashboard, PlainLines, ResilientView, View
from orchestrator.doctor import Facts, Fitness, examine_machine, rate_fitness
from orchestrator.env import create_missing
from orchestrator.environments import Environments
from orchestrator.errors import UsageError
from orchestrator.exits import ExitCode
from orchestrator.faults import describe_internal_error
from orchestrator.frameworks import load_frameworks as frameworks
from orchestrator.interrupts import Interrupts
from orchestrator.keys import Keyboard
from orchestrator.launchers.local import LocalLauncher
from orchestrator.report import catalogue, health, job, making, profiles, terminal
from orchestrator.report import page as reporting
from orchestrator.report.document import build_run_document
from orchestrator.report.printing import print_json, print_line
from orchestrator.report.units import to_printable
from orchestrator.specfile import validate_sweep
from orchestrator.sweep import Sweep
from schemas.base import SCHEMA_VERSION
from schemas.environment import EnvironmentRecord
from schemas.record import JobRecord, Manifest

REPORT_COMMAND = "python -m orchestrator report"
# Limits on how many records of earlier runs are read: to estimate how long jobs take, and to list what each mode was
# verified on. Reading delays the first job.
MAX_RECORDS_FOR_ESTIMATE = 200
MAX_RECORDS_FOR_LIST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputForms:
    """Forms of a run's results beside its records: a page, and a document or tables."""

    page: bool
    as_json: bool


def run_sweep(said: Mapping[str, Any], root: Path, *, page: bool, as_json: bool, command: Sequence[str]) -> ExitCode:
    """Run a sweep to its end, show its results, and keep all of it."""
    console = Console(stderr=as_json)
    planned = provision_plan(planning.build_plan(validate_sweep(said), host.list_cores()), console)
    if planned is None:
        return ExitCode.INTERRUPTED
    known = estimate.seconds_by_mode(store.read_recent(root, MAX_RECORDS_FOR_ESTIMATE))
    with planned.environments.hold_for_cells(planned.cells_to_start) as environments:
        began = datetime.now().astimezone()
        run = store.create_run(root, planned.spec.name, began)
        manifest = Manifest(
            name=planned.spec.name,
            started=began.isoformat(timespec="seconds"),
            command=tuple(command),
            sweep=planned.spec,
            seed=planned.seed,
            cells=planned.cells,
            host=host.take_fingerprint(),
            environments=environments,
            warnings=planned.warnings,
            identity=identity.make_identity(planned.spec, planned.seed, planned.cells),
        )
        with run.hold_lock(describe_lock_owner()):
            return execute_plan(run, planned, manifest, console, known, OutputForms(page=page, as_json=as_json))


def provision_plan(planned: planning.Plan, console: Console) -> planning.Plan | None:
    """Create the environments that a plan's cells need, and plan again; None if a signal came first.

    Raises:
        UsageError: an environment cannot be created, or nothing can run in the new ones.
    """
    missing = planned.environments.list_missing(planned.cells_to_start)
    if not create_missing(planned.environments, missing, console):
        return None
    return planning.rebuild_plan(planned.spec, planned.seed, planned.available) if missing else planned


def resume_run(root: Path, name: str, *, force: bool, page: bool, as_json: bool) -> ExitCode:
    """Resume an interrupted run as it was begun, and show its results."""
    run, console = store.find_run(root, name), Console(stderr=as_json)
    with run.hold_lock(describe_lock_owner()) as left:
        family.end_leftovers(left)  # what a killed orchestrator left would disturb the jobs
        manifest = run.read_manifest()
        planned = provision_plan(planning.rebuild_plan(manifest.sweep, manifest.seed, host.list_cores()), console)
        if planned is None:
            return ExitCode.INTERRUPTED
        with planned.environments.hold_for_cells(planned.cells_to_start) as environments:
            wanted = OutputForms(page=page, as_json=as_json)
            return continue_run(run, planned, manifest, environments, console, wanted, force=force)


def continue_run(
    run: store.Store,
    planned: planning.Plan,
    manifest: Manifest,
    environments: Mapping[str, EnvironmentRecord],
    console: Console,
    wanted: OutputForms,
    *,
    force: bool,
) -> ExitCode:
    """Run the jobs that a run lacks, in these environments."""
    changed = check_changes(run, planned, manifest, environments, force=force)
    records, damaged = run.salvage_records()
    for file in damaged:
        print_line(console, to_printable(f"warning: {file} was damaged and is set aside; its job runs again"))
    if manifest.finished and not damaged:
        print_line(console, "Nothing is missing from this run.")
        present_results(console, run, manifest, records, wanted)
        return exit_code(records, interrupted=False)
    mixed = tuple(dict.fromkeys([*manifest.mixed, *changed]))
    manifest = manifest.model_copy(update={"stopped": "", "finished": False, "mixed": mixed})
    known = estimate.seconds_by_mode(records)
    return execute_plan(run, planned, manifest, console, known, wanted, earlier=records, resumed=True)


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
        edited = ", ".join(identity.find_edited_workloads(manifest.cells, planned.cells))
        why = f"the code of {edited} has changed" if edited else "its sweep now yields other cells"
        raise UsageError(f"{run.name} cannot be resumed: {why}; begin a new run")
    now = identity.make_identity(manifest.sweep, manifest.seed, manifest.cells)
    changed = identity.find_changes(manifest, now, host.take_fingerprint(), environments)
    if changed and not force:
        raise UsageError(
            f"{run.name} cannot be resumed as it was begun: {'; '.join(changed)}; "
            "begin a new run, or mix the two with --force"
        )
    return changed


def describe_lock_owner() -> str:
    """Return the content of a run's lock: the writer's process id, and the mark of everything it starts."""
    return f"{os.getpid()} {family.PROCESS_MARK}"


def execute_plan(
    run: store.Store,
    planned: planning.Plan,
    manifest: Manifest,
    console: Console,
    known: Mapping[str, float],
    wanted: OutputForms,
    *,
    earlier: Sequence[JobRecord] = (),
    resumed: bool = False,
) -> ExitCode:
    """Run a plan, or what is left of it, in the folder of its run; keep and show the results."""
    try:
        run.write_manifest(manifest)
        manifest, records, interrupted = measure_jobs(run, planned, manifest, console, known, earlier, resumed=resumed)
        run.write_manifest(manifest)
    except OSError as error:
        raise UsageError(
            f"{error.filename or run.folder}: {error.strerror}; everything before is kept; fix that, and resume "
            f"with: python -m orchestrator resume {run.name}"
        ) from error
    present_results(console, run, manifest, records, wanted)
    return exit_code(records, interrupted=interrupted)


def measure_jobs(
    run: store.Store,
    planned: planning.Plan,
    manifest: Manifest,
    console: Console,
    known: Mapping[str, float],
    earlier: Sequence[JobRecord],
    *,
    resumed: bool,
) -> tuple[Manifest, list[JobRecord], bool]:
    """Run the jobs; return the final manifest, all records, and whether a signal or a key ended the run."""
    for line in (*catalogue.describe_code_origins(planned), *(f"warning: {warning}" for warning in planned.warnings)):
        print_line(console, line)
    now, machine = time.monotonic(), host.take_fingerprint()  # a resumed run may have begun on another machine
    block_s = estimate.estimate_block_s(planned.runnable, planned.spec.timing, known)
    board = Board(plan=planned, started_s=now, now_s=now, guess_s=block_s)
    # A dashboard on a worker's core would disturb what it shows.
    host.leave_worker_cores(
        {core for cell in planned.cells for core in planning.choose_cpus(cell.threads, planned.available)}
    )
    with (
        Interrupts() as interrupts,
        family.guard_descendants(),
        make_keyboard(console) as keys,
        ResilientView(make_view(board, console, keys)) as shown,
        family.make_temporary_folder() as caches,
    ):
        going = Sweep(
            plan=planned,
            launcher=LocalLauncher(interrupts, Path(caches), keys, planned.environments),
            store=run,
            host=machine,
            publish=shown,
            interrupts=interrupts,
            earlier=earlier,
            resumed=resumed,
            keys=keys,
            enough=lambda records, block: is_sweep_precise(planned.spec, planned.cells, records, block),
        )
        stopped = going.run()
    ended = {"stopped": stopped, "finished": not going.stopped_early}
    return manifest.model_copy(update=ended), going.records, going.stopped_early


def is_live(console: Console) -> bool:
    """Return whether this terminal can redraw what it shows."""
    return console.is_terminal and not console.is_dumb_terminal


def make_keyboard(console: Console) -> Keyboard:
    """Return the keys of the dashboard's terminal; none without a dashboard, or if input is not a terminal."""
    return Keyboard(sys.stdin.fileno() if is_live(console) and sys.stdin is not None and sys.stdin.isatty() else None)


def make_view(board: Board, console: Console, keys: Keyboard) -> View:
    """Return the live dashboard for a terminal, plain lines for anything else."""
    return Dashboard(board, console, keys) if is_live(console) else PlainLines(board, console)


def present_results(
    console: Console, run: store.Store, manifest: Manifest, records: Sequence[JobRecord], wanted: OutputForms
) -> None:
    """Print a run's results, and write its report if wanted; failing to write it only warns."""
    results = build_groups(manifest, records)
    if manifest.mixed:
        print_line(
            Console(stderr=True), to_printable(f"MIXED: between the parts of this run, {'; '.join(manifest.mixed)}.")
        )
    if not wanted.as_json:
        lines = [*making.summarise_environments(manifest.environments), health.summarise_host(manifest.host)]
        terminal.show_results(
            console, results, manifest.stopped, str(run.jobs_folder), "\n".join(lines), run.read_profiles()
        )
    if wanted.page:
        write_page(console, run, manifest, records, results)
    page = str(run.page_path) if run.page_path.is_file() else None
    if wanted.as_json:
        more = {"profiles": profiles.profiles_to_list(run.read_profiles()), "page": page}
        print_json(build_run_document(run.name, manifest, results) | more)
    elif page:
        print_line(console, to_printable(f"Open the report in a browser: {page}"))


def write_page(
    console: Console, run: store.Store, manifest: Manifest, records: Sequence[JobRecord], results: Sequence[Group]
) -> None:
    """Write a run's report into its folder, or warn that it cannot be written."""
    try:
        store.write_text(run.page_path, reporting.render_page(run.name, manifest, records, results))
    except OSError as error:
        again = f"write the report with: {REPORT_COMMAND} {run.name}"
        print_line(console, to_printable(f"warning: {run.page_path}: {error.strerror}; {again}"))
    except Exception as error:  # a bug in a chart must not cost the sweep its document or its exit code
        print_line(console, to_printable(f"warning: {run.page_path}: {describe_internal_error(error)}"))


def build_groups(manifest: Manifest, records: Sequence[JobRecord]) -> tuple[Group, ...]:
    """Compute a run's results, marked as MIXED if its parts differ."""
    asked = manifest.sweep
    found = group_results(records, manifest.cells, asked.baseline, asked.margin, asked.rank_by)
    if not manifest.mixed:
        return found
    return tuple(dataclasses.replace(each, title=f"MIXED: {each.title}") for each in found)


def write_report(root: Path, name: str, output: Path | None, *, as_json: bool) -> None:
    """Write a run's report, and print its path."""
    run = store.find_run(root, name)
    path, manifest, records = output or run.page_path, run.read_manifest(), run.read_records()
    text = reporting.render_page(run.name, manifest, records, build_groups(manifest, records))
    try:
        store.write_text(path, text)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; choose another with --output") from error
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "run": run.name, "page": str(path)})
    else:
        print_line(Console(), to_printable(str(path)))


def exit_code(records: Sequence[JobRecord], *, interrupted: bool) -> ExitCode:
    """Return 130 if a signal or a key ended the sweep, 1 if a job failed. Unsupported and skipped are no failures."""
    if interrupted:
        return ExitCode.INTERRUPTED
    failed = any(record.outcome not in ("measured", "unsupported", "skipped") for record in last_attempts(records))
    return ExitCode.SOME_JOBS_FAILED if failed else ExitCode.FINE


def show_plan(said: Mapping[str, Any], root: Path, *, as_json: bool) -> None:
    """Show what a sweep would run."""
    planned = planning.build_plan(validate_sweep(said), host.list_cores())
    known = estimate.seconds_by_mode(store.read_recent(root, MAX_RECORDS_FOR_ESTIMATE))
    if as_json:
        print_json(catalogue.build_plan_document(planned, known))
    else:
        catalogue.show_plan(Console(), planned, known)


def show_list(root: Path, *, as_json: bool) -> None:
    """Show what exists and what is installed, with what the newest runs here have verified."""
    known = find_verified_outcomes(store.read_recent(root, MAX_RECORDS_FOR_LIST))
    if as_json:
        print_json(catalogue.build_list_document(known))
    else:
        catalogue.show_list(Console(), known)


def run_doctor(runs: Path, *, as_json: bool) -> ExitCode:
    """Watch this machine for a second, and judge whether it is fit to measure."""
    here, exist = Environments(), tuple(frameworks().values())
    machine, now = host.take_fingerprint(), condition.observe_activity(runs)
    unready = frozenset(each.name for each in exist if not here.is_ready(each))
    findings = examine_machine(Facts(host=machine, now=now, frameworks=exist, unready=unready))
    if as_json:
        print_json(health.build_fitness_document(machine, now, findings))
    else:
        health.show_fitness(Console(), machine, findings)
    return ExitCode.UNFIT if rate_fitness(findings) is Fitness.UNFIT else ExitCode.FINE


def show_run(root: Path, name: str, job_name: str | None, *, repeat: bool = False, as_json: bool) -> ExitCode:
    """Show a run, or one of its jobs; with `repeat`, run that job again and show both."""
    run = store.find_run(root, name)
    records = run.read_records()
    if job_name is None:
        present_results(Console(), run, run.read_manifest(), records, OutputForms(page=False, as_json=as_json))
        return ExitCode.FINE
    record = store.find_record(records, job_name)
    if repeat:
        from orchestrator import handing_on

        return handing_on.show_rerun(run.read_manifest(), record, records, as_json=as_json)
    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        job.show_job(Console(), record, run.log_path(record.spec), find_canary_floor_ns(records))
    return ExitCode.FINE
