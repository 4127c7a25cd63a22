"""The results of a run after a sweep and in `show`: on the terminal, as JSON, and as a page."""

from dataclasses import dataclass

from rich.console import Console

from orchestrator.analysis.run import Run
from orchestrator.cli.internal_error import describe_internal_error
from orchestrator.cli.output import print_json, print_line, write_file
from orchestrator.format import to_printable
from orchestrator.records import store
from orchestrator.report import terminal
from orchestrator.report.json_document import build_run_document
from orchestrator.report.page import page as reporting
from orchestrator.report.sections import calls, profile
from orchestrator.report.sentences import describe_mixture, describe_skipped

REPORT_COMMAND = "python -m orchestrator report"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputForms:
    """Forms of a run's results beside its records: a page, and a document or tables, brief or with all details.

    `calls` is a number of calls to answer for; None: that of the sweep, if it has one.
    """

    page: bool
    as_json: bool
    details: bool
    calls: int | None = None


def present_results(console: Console, place: store.Store, run: Run, wanted: OutputForms) -> None:
    """Print a run's results, and write its report if wanted; failing to write it only warns."""
    warn_of_parts(run)
    profiles, count = place.read_profiles(), wanted.calls or run.manifest.sweep.calls
    if not wanted.as_json:
        terminal.show_results(console, run, profiles, details=wanted.details, count=count)
        terminal.show_other_types(console, run, details=wanted.details, count=count)
    if wanted.page:
        write_page(console, place, run)
    if wanted.as_json:
        page = str(place.page_path) if place.page_path.is_file() else None
        document = build_run_document(run) | {"for_calls": calls.best_modes_to_list(run.groups, count)}
        print_json(document | {"profiles": profile.profiles_to_list(profiles), "page": page})
        return
    lines = terminal.list_places(run, place, profiles, details=wanted.details)
    print_line(console, to_printable("\n".join(lines)))


def warn_of_parts(run: Run) -> None:
    """Print, on standard error, how the parts of a run differ and which of its records are skipped."""
    for sentence in (*describe_mixture(run.mixed), *describe_skipped(run.skipped)):
        print_line(Console(stderr=True), sentence)


def write_page(console: Console, place: store.Store, run: Run) -> None:
    """Write a run's report into its folder, or warn that it cannot be written."""
    try:
        write_file(place.page_path, reporting.render_page(run).encode())
    except OSError as error:
        again = f"write the report with: {REPORT_COMMAND} {run.name}"
        print_line(console, to_printable(f"warning: {place.page_path}: {error.strerror}; {again}"))
    except Exception as error:  # a bug in a chart must not cost the sweep its document or its exit code
        print_line(console, to_printable(f"warning: {place.page_path}: {describe_internal_error(error)}"))
