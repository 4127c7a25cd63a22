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
from orchestrator.analysis.disturbance import canary_floor_ns
from orchestrator.analysis.results import Group, enough, groups
from orchestrator.analysis.verified import seen
from orchestrator.attempts import last_attempts
from orchestrator.board import Board
from orchestrator.dashboard import Dashboard, PlainLines, Steadfast, View
from orchestrator.doctor import Facts, Verdict, examine, verdict
from orchestrator.env import made
from orchestrator.environments import Environments
from orchestrator.errors import UsageError
from orchestrator.exits import Exit
from orchestrator.faults import described
from orchestrator.frameworks import known as frameworks
from orchestrator.interrupts import Interrupts
from orchestrator.keys import Keys
from orchestrator.launchers.local import Local
from orchestrator.report import catalogue, health, job, making, profiles, terminal
from orchestrator.report import page as reporting
from orchestrator.report.document import document
from orchestrator.report.printing import print_json, say
from orchestrator.report.units import printable
from orchestrator.specfile import validate
from orchestrator.sweep import Sweep
from schemas.base import SCHEMA_VERSION
from schemas.environment import EnvironmentRecord
from schemas.record import JobRecord, Manifest

REPORT = "python -m orchestrator report"
# Limits on how many records of earlier runs are read: to estimate how long jobs take, and to list what each mode was
# verified on. Reading delays the first job.
RECENT = 200
MANY = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """Forms of a run's results beside its records: a page, and a document or tables."""

    page: bool
    as_json: bool


def sweep(said: Mapping[str, Any], root: Path, *, page: bool, as_json: bool, command: Sequence[str]) -> Exit:
    """Run a sweep to its end, show its results, and keep all of it."""
    console = Console(stderr=as_json)
    planned = provided(planning.plan(validate(said), host.cores()), console)
    if planned is None:
        return Exit.INTERRUPTED
    known = estimate.seconds_by_mode(store.recent(root, RECENT))
    with planned.environments.used(planned.started) as environments:
        began = datetime.now().astimezone()
        run = store.create(root, planned.spec.name, began)
        manifest = Manifest(
            name=planned.spec.name,
            started=began.isoformat(timespec="seconds"),
            command=tuple(command),
            sweep=planned.spec,
            seed=planned.seed,
            cells=planned.cells,
            host=host.fingerprint(),
            environments=environments,
            warnings=planned.warnings,
            identity=identity.of(planned.spec, planned.seed, planned.cells),
        )
        with run.locked(about()):
            return carry_out(run, planned, manifest, console, known, Forms(page=page, as_json=as_json))


def provided(planned: planning.Plan, console: Console) -> planning.Plan | None:
    """Create the environments that a plan's cells need, and plan again; None if a signal came first.

    Raises:
        UsageError: an environment cannot be created, or nothing can run in the new ones.
    """
    missing = planned.environments.missing(planned.started)
    if not made(planned.environments, missing, console):
        return None
    return planning.again(planned.spec, planned.seed, planned.available) if missing else planned


def resume(root: Path, name: str, *, force: bool, page: bool, as_json: bool) -> Exit:
    """Resume an interrupted run as it was begun, and show its results."""
    run, console = store.find(root, name), Console(stderr=as_json)
    with run.locked(about()) as left:
        family.end_left(left)  # what a killed orchestrator left would disturb the jobs
        manifest = run.manifest()
        planned = provided(planning.again(manifest.sweep, manifest.seed, host.cores()), console)
        if planned is None:
            return Exit.INTERRUPTED
        with planned.environments.used(planned.started) as environments:
            wanted = Forms(page=page, as_json=as_json)
            return go_on(run, planned, manifest, environments, console, wanted, force=force)


def go_on(
    run: store.Store,
    planned: planning.Plan,
    manifest: Manifest,
    environments: Mapping[str, EnvironmentRecord],
    console: Console,
    wanted: Forms,
    *,
    force: bool,
) -> Exit:
    """Run the jobs that a run lacks, in these environments."""
    changed = changes(run, planned, manifest, environments, force=force)
    records, damaged = run.salvage()
    for file in damaged:
        say(console, printable(f"warning: {file} was damaged and is set aside; its job runs again"))
    if manifest.finished and not damaged:
        say(console, "Nothing is missing from this run.")
        finish(console, run, manifest, records, wanted)
        return exit_code(records, interrupted=False)
    mixed = tuple(dict.fromkeys([*manifest.mixed, *changed]))
    manifest = manifest.model_copy(update={"stopped": "", "finished": False, "mixed": mixed})
    known = estimate.seconds_by_mode(records)
    return carry_out(run, planned, manifest, console, known, wanted, earlier=records, resumed=True)


def changes(
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
        edited = ", ".join(identity.edited(manifest.cells, planned.cells))
        why = f"the code of {edited} has changed" if edited else "its sweep now yields other cells"
        raise UsageError(f"{run.name} cannot be resumed: {why}; begin a new run")
    now = identity.of(manifest.sweep, manifest.seed, manifest.cells)
    changed = identity.changes(manifest, now, host.fingerprint(), environments)
    if changed and not force:
        raise UsageError(
            f"{run.name} cannot be resumed as it was begun: {'; '.join(changed)}; "
            "begin a new run, or mix the two with --force"
        )
    return changed


def about() -> str:
    """Return the content of a run's lock: the writer's process id, and the mark of everything it starts."""
    return f"{os.getpid()} {family.MARK}"


def carry_out(
    run: store.Store,
    planned: planning.Plan,
    manifest: Manifest,
    console: Console,
    known: Mapping[str, float],
    wanted: Forms,
    *,
    earlier: Sequence[JobRecord] = (),
    resumed: bool = False,
) -> Exit:
    """Run a plan, or what is left of it, in the folder of its run; keep and show the results."""
    try:
        run.write_manifest(manifest)
        manifest, records, interrupted = measured(run, planned, manifest, console, known, earlier, resumed=resumed)
        run.write_manifest(manifest)
    except OSError as error:
        raise UsageError(
            f"{error.filename or run.folder}: {error.strerror}; everything before is kept; fix that, and resume "
            f"with: python -m orchestrator resume {run.name}"
        ) from error
    finish(console, run, manifest, records, wanted)
    return exit_code(records, interrupted=interrupted)


def measured(
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
    for line in (*catalogue.homes(planned), *(f"warning: {warning}" for warning in planned.warnings)):
        say(console, line)
    now, machine = time.monotonic(), host.fingerprint()  # a resumed run may have begun on another machine
    block_s = estimate.block_s(planned.runnable, planned.spec.timing, known)
    board = Board(plan=planned, started_s=now, now_s=now, guess_s=block_s)
    # A dashboard on a worker's core would disturb what it shows.
    host.step_aside({core for cell in planned.cells for core in planning.cpus(cell.threads, planned.available)})
    with (
        Interrupts() as interrupts,
        family.guarded(),
        terminal_keys(console) as keys,
        Steadfast(view(board, console, keys)) as shown,
        family.folder() as caches,
    ):
        going = Sweep(
            plan=planned,
            launcher=Local(interrupts, Path(caches), keys, planned.environments),
            store=run,
            host=machine,
            publish=shown,
            interrupts=interrupts,
            earlier=earlier,
            resumed=resumed,
            keys=keys,
            enough=lambda records, block: enough(planned.spec, planned.cells, records, block),
        )
        stopped = going.run()
    ended = {"stopped": stopped, "finished": not going.stopped_early}
    return manifest.model_copy(update=ended), going.records, going.stopped_early


def live(console: Console) -> bool:
    """Return whether this terminal can redraw what it shows."""
    return console.is_terminal and not console.is_dumb_terminal


def terminal_keys(console: Console) -> Keys:
    """Return the keys of the dashboard's terminal; none without a dashboard, or if input is not a terminal."""
    return Keys(sys.stdin.fileno() if live(console) and sys.stdin is not None and sys.stdin.isatty() else None)


def view(board: Board, console: Console, keys: Keys) -> View:
    """Return the live dashboard for a terminal, plain lines for anything else."""
    return Dashboard(board, console, keys) if live(console) else PlainLines(board, console)


def finish(console: Console, run: store.Store, manifest: Manifest, records: Sequence[JobRecord], wanted: Forms) -> None:
    """Print a run's results, and write its report if wanted; failing to write it only warns."""
    results = concluded(manifest, records)
    if manifest.mixed:
        say(Console(stderr=True), printable(f"MIXED: between the parts of this run, {'; '.join(manifest.mixed)}."))
    if not wanted.as_json:
        lines = [*making.summaries(manifest.environments), health.summary(manifest.host)]
        terminal.show(console, results, manifest.stopped, str(run.jobs), "\n".join(lines), run.profiles())
    if wanted.page:
        write_page(console, run, manifest, records, results)
    page = str(run.page) if run.page.is_file() else None
    if wanted.as_json:
        more = {"profiles": profiles.document(run.profiles()), "page": page}
        print_json(document(run.name, manifest, results) | more)
    elif page:
        say(console, printable(f"Open the report in a browser: {page}"))


def write_page(
    console: Console, run: store.Store, manifest: Manifest, records: Sequence[JobRecord], results: Sequence[Group]
) -> None:
    """Write a run's report into its folder, or warn that it cannot be written."""
    try:
        store.write_text(run.page, reporting.page(run.name, manifest, records, results))
    except OSError as error:
        again = f"write the report with: {REPORT} {run.name}"
        say(console, printable(f"warning: {run.page}: {error.strerror}; {again}"))
    except Exception as error:  # a bug in a chart must not cost the sweep its document or its exit code
        say(console, printable(f"warning: {run.page}: {described(error)}"))


def concluded(manifest: Manifest, records: Sequence[JobRecord]) -> tuple[Group, ...]:
    """Compute a run's results, marked as MIXED if its parts differ."""
    asked = manifest.sweep
    found = groups(records, manifest.cells, asked.baseline, asked.margin, asked.rank_by)
    if not manifest.mixed:
        return found
    return tuple(dataclasses.replace(each, title=f"MIXED: {each.title}") for each in found)


def report(root: Path, name: str, output: Path | None, *, as_json: bool) -> None:
    """Write a run's report, and print its path."""
    run = store.find(root, name)
    path, manifest, records = output or run.page, run.manifest(), run.records()
    text = reporting.page(run.name, manifest, records, concluded(manifest, records))
    try:
        store.write_text(path, text)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; choose another with --output") from error
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "run": run.name, "page": str(path)})
    else:
        say(Console(), printable(str(path)))


def exit_code(records: Sequence[JobRecord], *, interrupted: bool) -> Exit:
    """Return 130 if a signal or a key ended the sweep, 1 if a job failed. Unsupported and skipped are no failures."""
    if interrupted:
        return Exit.INTERRUPTED
    failed = any(record.outcome not in ("measured", "unsupported", "skipped") for record in last_attempts(records))
    return Exit.SOME_JOBS_FAILED if failed else Exit.FINE


def plan(said: Mapping[str, Any], root: Path, *, as_json: bool) -> None:
    """Show what a sweep would run."""
    planned = planning.plan(validate(said), host.cores())
    known = estimate.seconds_by_mode(store.recent(root, RECENT))
    if as_json:
        print_json(catalogue.plan_document(planned, known))
    else:
        catalogue.show_plan(Console(), planned, known)


def list_(root: Path, *, as_json: bool) -> None:
    """Show what exists and what is installed, with what the newest runs here have verified."""
    known = seen(store.recent(root, MANY))
    if as_json:
        print_json(catalogue.list_document(known))
    else:
        catalogue.show_list(Console(), known)


def doctor(runs: Path, *, as_json: bool) -> Exit:
    """Watch this machine for a second, and judge whether it is fit to measure."""
    here, exist = Environments(), tuple(frameworks().values())
    machine, now = host.fingerprint(), condition.observe(runs)
    unready = frozenset(each.name for each in exist if not here.ready(each))
    findings = examine(Facts(host=machine, now=now, frameworks=exist, unready=unready))
    if as_json:
        print_json(health.document(machine, now, findings))
    else:
        health.show(Console(), machine, findings)
    return Exit.UNFIT if verdict(findings) is Verdict.UNFIT else Exit.FINE


def show(root: Path, name: str, job_name: str | None, *, repeat: bool = False, as_json: bool) -> Exit:
    """Show a run, or one of its jobs; with `repeat`, run that job again and show both."""
    run = store.find(root, name)
    records = run.records()
    if job_name is None:
        finish(Console(), run, run.manifest(), records, Forms(page=False, as_json=as_json))
        return Exit.FINE
    record = store.find_record(records, job_name)
    if repeat:
        from orchestrator import handing_on

        return handing_on.show_again(run.manifest(), record, records, as_json=as_json)
    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        job.show(Console(), record, run.log(record.spec), canary_floor_ns(records))
    return Exit.FINE
