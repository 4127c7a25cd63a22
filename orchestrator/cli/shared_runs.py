"""Sweeps on several machines, for `sweep` and `resume`."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

from rich.console import Console

from orchestrator.analysis.run import Run
from orchestrator.cli.execution import describe_resumption, exit_code, format_resume_command, is_live
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.output import print_line
from orchestrator.cli.results import OutputForms, present_results
from orchestrator.cli.shared_plan import plan_shares
from orchestrator.errors import UsageError
from orchestrator.execution.planned_run import describe_lock_owner, make_manifest
from orchestrator.execution.shares.engines import open_engine
from orchestrator.execution.shares.head import MAX_NAMED, Head, Show, fix_blocks
from orchestrator.format import to_printable
from orchestrator.machine import fingerprint
from orchestrator.planning.estimate import MAX_RECORDS_FOR_ESTIMATE, seconds_by_mode
from orchestrator.processes.signals import Interrupts
from orchestrator.progress.shares import ShareLines, ShareTable
from orchestrator.records import provenance, store
from schemas.record import Manifest
from schemas.sweep import SweepSpec


def run_shared_sweep(spec: SweepSpec, root: Path, wanted: OutputForms, command: Sequence[str]) -> ExitCode:
    """Run a sweep on several machines to its end, and show its results."""
    known = seconds_by_mode(store.read_recent(root, MAX_RECORDS_FOR_ESTIMATE), None)
    console, shared = Console(stderr=wanted.as_json), plan_shares(spec, known)
    began = datetime.now().astimezone()
    plain = make_manifest(shared.plan, fingerprint.take_fingerprint(), began, command, {})
    manifest = fix_blocks(plain, shared.layout, began)
    run = store.create_run(root, spec.name, began)
    with run.hold_lock(describe_lock_owner()):
        run.write_manifest(manifest)
        run.write_sweep_file(plain)
        return lead_run(Head(run, manifest, shared.engine), console, wanted)


def resume_shared_run(run: store.Store, manifest: Manifest, console: Console, wanted: OutputForms) -> ExitCode:
    """Follow the shares of a run that still run, and hand out the blocks that are missing.

    Raises:
        UsageError: the code has changed since the run was begun.
    """
    assert manifest.sweep.cluster is not None
    now = provenance.make_identity(manifest.original_sweep, manifest.seed, manifest.cells)
    if manifest.identity is None or manifest.identity != now:
        raise UsageError(
            f"{run.name} cannot be resumed as it was begun: the source of workers/ or schemas/, or its sweep, has "
            "changed; begin a new run"
        )
    _, damaged = run.salvage_records()
    for file in damaged:
        print_line(console, to_printable(f"warning: {file} was damaged and is set aside; it is copied or run again"))
    if manifest.finished and not damaged:
        print_line(console, "Nothing is missing from this run.")
        return present_run(run, console, wanted)
    begun = manifest.model_copy(update={"stopped": "", "finished": False})
    return lead_run(Head(run, begun, open_engine(manifest.sweep.cluster, len(manifest.cells))), console, wanted)


def lead_run(head: Head, console: Console, wanted: OutputForms) -> ExitCode:
    """Measure what a run lacks, and show its results."""
    run = head.run
    try:
        with Interrupts() as interrupts, open_view(console) as show:
            interrupted = head.measure_missing(interrupts, show)
    except OSError as error:
        raise UsageError(
            f"{error.filename or run.folder}: {error.strerror}; everything before is kept; fix that, and resume with: "
            f"{format_resume_command(run)}"
        ) from error
    for problem in head.problems[:MAX_NAMED]:
        print_line(console, to_printable(f"warning: {problem}"))
    if (more := len(head.problems) - MAX_NAMED) > 0:
        print_line(console, f"warning: {more} more shares ended early")
    return present_run(run, console, wanted, interrupted=interrupted)


def present_run(run: store.Store, console: Console, wanted: OutputForms, *, interrupted: bool = False) -> ExitCode:
    """Show the results of a run, and how to go on if it is unfinished."""
    found = Run.from_store(run)
    present_results(console, run, found, wanted)
    finished = found.manifest.finished
    if not finished:
        print_line(console, to_printable(describe_resumption(run)))
    code = exit_code(found, interrupted=interrupted)
    return code if finished or code != ExitCode.FINE else ExitCode.SOME_JOBS_FAILED


def open_view(console: Console) -> AbstractContextManager[Show]:
    """Return a live table for a terminal, plain lines for anything else."""
    return ShareTable(console) if is_live(console) else ShareLines(console)
