"""`resume`: the jobs that an interrupted run lacks, and more of them if asked."""

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from rich.console import Console

from orchestrator.analysis.run import Run
from orchestrator.cli.core_claims import claim_for_plan
from orchestrator.cli.execution import describe_resumption, execute_plan, exit_code, provision_plan
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.output import print_line
from orchestrator.cli.results import OutputForms, present_results
from orchestrator.errors import UsageError
from orchestrator.execution.planned_run import PlannedRun, describe_lock_owner
from orchestrator.format import to_printable
from orchestrator.machine import affinity, fingerprint
from orchestrator.machine.core_locks import name_cores
from orchestrator.planning import estimate
from orchestrator.planning import plan as planning
from orchestrator.planning.estimate import total_duration_s
from orchestrator.planning.extension import NO_EXTENSION, ExtensionRequest, extend_manifest
from orchestrator.processes import descendants
from orchestrator.processes.signals import Interrupts
from orchestrator.records import provenance, store
from schemas.environment import EnvironmentRecord
from schemas.machine_type import identify_type
from schemas.record import Host, Manifest


def resume_run(
    root: Path, name: str, wanted: OutputForms, *, force: bool, wait: bool, asked: ExtensionRequest = NO_EXTENSION
) -> ExitCode:
    """Resume an interrupted run as it was begun, or extend it, and show its results."""
    run, console = store.find_run(root, name), Console(stderr=wanted.as_json)
    with run.hold_lock(describe_lock_owner()) as left:
        descendants.end_leftovers(left)  # what a killed orchestrator left would disturb the jobs
        manifest = extend_run(run, asked) if asked else run.read_manifest()
        if manifest.sweep.is_shared_out:
            from orchestrator.cli.shared_runs import resume_shared_run

            return resume_shared_run(run, manifest, console, wanted)
        cores, extensions = affinity.list_cores(), manifest.extensions
        begun = planning.rebuild_plan(manifest.sweep, manifest.seed, cores, extensions=extensions)
        planned = provision_plan(begun, console, required=manifest.environments.keys())
        if planned is None:
            return ExitCode.INTERRUPTED
        with planned.environments.hold_for_cells(planned.cells_to_start) as environments:
            ended, interrupted = continue_run(run, planned, manifest, environments, console, force=force, wait=wait)
    present_results(console, run, ended, wanted)
    if interrupted:
        print_line(console, to_printable(describe_resumption(run)))
    return exit_code(ended, interrupted=interrupted)


def extend_run(place: store.Store, asked: ExtensionRequest) -> Manifest:
    """Return the manifest of a run whose end is moved; it is written when the jobs begin."""
    run = Run.from_store(place)
    spent_s = total_duration_s([*run.records, *place.read_artefact_records()])
    return extend_manifest(run, asked, spent_s, datetime.now().astimezone())


def continue_run(
    run: store.Store,
    planned: planning.Plan,
    manifest: Manifest,
    environments: Mapping[str, EnvironmentRecord],
    console: Console,
    *,
    force: bool,
    wait: bool,
) -> tuple[Run, bool]:
    """Run the jobs that a run lacks, in these environments."""
    machine = fingerprint.take_fingerprint()
    changed = check_changes(run, planned, manifest, environments, machine, force=force)
    records, damaged = run.salvage_records()
    for file in damaged:
        print_line(console, to_printable(f"warning: {file} was damaged and is set aside; its job runs again"))
    if manifest.finished and not damaged:
        print_line(console, "Nothing is missing from this run.")
        return Run(name=run.name, manifest=manifest, records=tuple(records)), False
    mixed = tuple(dict.fromkeys([*manifest.mixed, *changed]))
    manifest = manifest.model_copy(update={"stopped": "", "finished": False, "mixed": mixed})
    known, before = estimate.seconds_by_mode(records, machine), manifest.cores
    with claim_for_plan(planned, machine, run.folder.parent, console, wait=wait, preferred=before) as claim:
        print_line(console, claim.doubt)
        if before and sorted(before) != sorted(claim.cores):
            print_line(console, f"The run continues on {name_cores(claim.cores)} instead of {name_cores(before)}.")
        planned = dataclasses.replace(planned, cores=claim.cores)
        manifest = manifest.model_copy(update={"cores": claim.cores})
        with Interrupts() as interrupts:
            rest = PlannedRun(folder=run, plan=planned, manifest=manifest, known=known, earlier=records, resumed=True)
            return execute_plan(rest, console, interrupts)


def check_changes(
    run: store.Store,
    planned: planning.Plan,
    manifest: Manifest,
    environments: Mapping[str, EnvironmentRecord],
    machine: Host,
    *,
    force: bool,
) -> list[str]:
    """List what has changed since a run was begun, which only `force` allows.

    Raises:
        UsageError: resuming would mix results or types of machines, or run other cells.
    """
    if planned.cells != manifest.cells:
        edited = ", ".join(provenance.find_edited_workloads(manifest.cells, planned.cells))
        why = f"the code of {edited} has changed" if edited else "its sweep now yields other cells"
        raise UsageError(f"{run.name} cannot be resumed: {why}; begin a new run")
    began, here = identify_type(manifest.host), identify_type(machine)
    if began != here:
        raise UsageError(
            f"{run.name} cannot be resumed here: it was begun on {began.label}, and this is {here.label}; no result "
            "counts jobs of two types; begin a new run"
        )
    now = provenance.make_identity(manifest.original_sweep, manifest.seed, manifest.cells)
    changed = provenance.find_changes(manifest, now, machine, environments)
    if changed and not force:
        raise UsageError(
            f"{run.name} cannot be resumed as it was begun: {'; '.join(changed)}; "
            "begin a new run, or mix the two with --force"
        )
    return changed
