"""`show` and `report`: a finished run on the terminal, as JSON and as a page."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from orchestrator.analysis.run import Run
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.internal_error import describe_internal_error
from orchestrator.cli.output import print_json, print_line, write_file
from orchestrator.errors import UsageError
from orchestrator.execution import rerun
from orchestrator.format import to_printable
from orchestrator.records import store
from orchestrator.report import terminal
from orchestrator.report.job import rerun as repetition
from orchestrator.report.job.terminal import show_job
from orchestrator.report.json_document import build_run_document
from orchestrator.report.page import page as reporting
from orchestrator.report.sections import profile
from orchestrator.report.sentences import describe_mixture
from schemas.base import SCHEMA_VERSION
from schemas.record import JobRecord

REPORT_COMMAND = "python -m orchestrator report"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputForms:
    """Forms of a run's results beside its records: a page, and a document or tables, brief or with all details."""

    page: bool
    as_json: bool
    details: bool


def present_results(console: Console, place: store.Store, run: Run, wanted: OutputForms) -> None:
    """Print a run's results, and write its report if wanted; failing to write it only warns."""
    for sentence in describe_mixture(run.mixed):
        print_line(Console(stderr=True), sentence)
    profiles = place.read_profiles()
    if not wanted.as_json:
        terminal.show_results(console, run, profiles, details=wanted.details)
    if wanted.page:
        write_page(console, place, run)
    if wanted.as_json:
        page = str(place.page_path) if place.page_path.is_file() else None
        print_json(build_run_document(run) | {"profiles": profile.profiles_to_list(profiles), "page": page})
        return
    lines = terminal.list_places(run, place, profiles, details=wanted.details)
    print_line(console, to_printable("\n".join(lines)))


def write_page(console: Console, place: store.Store, run: Run) -> None:
    """Write a run's report into its folder, or warn that it cannot be written."""
    try:
        write_file(place.page_path, reporting.render_page(run).encode())
    except OSError as error:
        again = f"write the report with: {REPORT_COMMAND} {run.name}"
        print_line(console, to_printable(f"warning: {place.page_path}: {error.strerror}; {again}"))
    except Exception as error:  # a bug in a chart must not cost the sweep its document or its exit code
        print_line(console, to_printable(f"warning: {place.page_path}: {describe_internal_error(error)}"))


def write_report(root: Path, name: str, output: Path | None, *, as_json: bool) -> None:
    """Write a run's report, and print its path."""
    place = store.find_run(root, name)
    run, path = Run.from_store(place), output or place.page_path
    text = reporting.render_page(run)
    try:
        write_file(path, text.encode())
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; choose another with --output") from error
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "run": run.name, "page": str(path)})
    else:
        print_line(Console(), to_printable(str(path)))


def show_run(
    root: Path, name: str, job_name: str | None, *, repeat: bool = False, details: bool = False, as_json: bool
) -> ExitCode:
    """Show a run, or one of its jobs; with `repeat`, run that job again and show both."""
    place = store.find_run(root, name)
    run = Run.from_store(place)
    if job_name is None:
        present_results(Console(), place, run, OutputForms(page=False, as_json=as_json, details=details))
        return ExitCode.FINE
    record = store.find_record(run.records, job_name)
    if repeat:
        return show_rerun(run, record, as_json=as_json)
    if as_json:
        print_json(record.model_dump(mode="json"))
    else:
        show_job(Console(), record, place.log_path(record.spec), run.canary_ns)
    return ExitCode.FINE


def show_rerun(run: Run, record: JobRecord, *, as_json: bool) -> ExitCode:
    """Run a job again, and show it beside its earlier record."""
    with rerun.rerun_job(run.manifest, record) as (now, log):
        if as_json:
            print_json(repetition.build_rerun_document(record, now))
        else:
            show_job(Console(), now, log, run.canary_ns, kept=False)
            repetition.show_rerun(Console(), record, now, run.jobs.get(record.spec.cell.id, ()))
    if now.outcome == "interrupted":
        return ExitCode.INTERRUPTED
    return ExitCode.FINE if now.outcome == "measured" else ExitCode.SOME_JOBS_FAILED
