"""`show` and `report`: a finished run on the terminal, as JSON and as a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from orchestrator.analysis.quality.disturbance import find_canary_floor_ns
from orchestrator.analysis.results import Group
from orchestrator.analysis.run import build_groups
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.internal_error import describe_internal_error
from orchestrator.cli.output import print_json, print_line, write_file
from orchestrator.errors import UsageError
from orchestrator.execution import rerun
from orchestrator.format import to_printable
from orchestrator.records import store
from orchestrator.report import terminal
from orchestrator.report.environments import summarise_environments
from orchestrator.report.job import rerun as repetition
from orchestrator.report.job.terminal import show_job
from orchestrator.report.json_document import build_run_document
from orchestrator.report.machine import summarise_host
from orchestrator.report.page import page as reporting
from orchestrator.report.sections import profile
from schemas.base import SCHEMA_VERSION
from schemas.record import JobRecord, Manifest

REPORT_COMMAND = "python -m orchestrator report"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputForms:
    """Forms of a run's results beside its records: a page, and a document or tables."""

    page: bool
    as_json: bool


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
        lines = [*summarise_environments(manifest.environments), summarise_host(manifest.host)]
        terminal.show_results(
            console, results, manifest.stopped, str(run.jobs_folder), "\n".join(lines), run.read_profiles()
        )
    if wanted.page:
        write_page(console, run, manifest, records, results)
    page = str(run.page_path) if run.page_path.is_file() else None
    if wanted.as_json:
        more = {"profiles": profile.profiles_to_list(run.read_profiles()), "page": page}
        print_json(build_run_document(run.name, manifest, results) | more)
    elif page:
        print_line(console, to_printable(f"Open the report in a browser: {page}"))


def write_page(
    console: Console, run: store.Store, manifest: Manifest, records: Sequence[JobRecord], results: Sequence[Group]
) -> None:
    """Write a run's report into its folder, or warn that it cannot be written."""
    try:
        write_file(run.page_path, reporting.render_page(run.name, manifest, records, results).encode())
    except OSError as error:
        again = f"write the report with: {REPORT_COMMAND} {run.name}"
        print_line(console, to_printable(f"warning: {run.page_path}: {error.strerror}; {again}"))
    except Exception as error:  # a bug in a chart must not cost the sweep its document or its exit code
        print_line(console, to_printable(f"warning: {run.page_path}: {describe_internal_error(error)}"))


def write_report(root: Path, name: str, output: Path | None, *, as_json: bool) -> None:
    """Write a run's report, and print its path."""
    run = store.find_run(root, name)
    path, manifest, records = output or run.page_path, run.read_manifest(), run.read_records()
    text = reporting.render_page(run.name, manifest, records, build_groups(manifest, records))
    try:
        write_file(path, text.encode())
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; choose another with --output") from error
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "run": run.name, "page": str(path)})
    else:
        print_line(Console(), to_printable(str(path)))


def show_run(root: Path, name: str, job_name: str | None, *, repeat: bool = False, as_json: bool) -> ExitCode:
    """Show a run, or one of its jobs; with `repeat`, run that job again and show both."""
    run = store.find_run(root, name)
    records = run.read_records()
    if job_name is None:
        present_results(Console(), run, run.read_manifest(), records, OutputForms(page=False, as_json=as_json))
        return ExitCode.FINE
    record = store.find_record(records, job_name)
    if repeat:
        return show_rerun(run.read_manifest(), record, records, as_json=as_json)
    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        show_job(Console(), record, run.log_path(record.spec), find_canary_floor_ns(records))
    return ExitCode.FINE


def show_rerun(manifest: Manifest, record: JobRecord, records: Sequence[JobRecord], *, as_json: bool) -> ExitCode:
    """Run a job again, and show it beside its earlier record."""
    with rerun.rerun_job(manifest, record) as (now, log):
        if as_json:
            print_json(repetition.build_rerun_document(record, now))
        else:
            show_job(Console(), now, log, find_canary_floor_ns(records), kept=False)
            # Block 0 only fills caches.
            same = [each for each in records if each.spec.cell == record.spec.cell and each.spec.block]
            repetition.show_rerun(Console(), record, now, same)
    if now.outcome == "interrupted":
        return ExitCode.INTERRUPTED
    return ExitCode.FINE if now.outcome == "measured" else ExitCode.SOME_JOBS_FAILED
