"""`report`: the page of a finished run."""

from pathlib import Path

from rich.console import Console

from orchestrator.analysis.run import Run
from orchestrator.cli.output import print_json, print_line, write_file
from orchestrator.errors import UsageError
from orchestrator.format import to_printable
from orchestrator.records import store
from orchestrator.report.page import page as reporting
from orchestrator.report.sentences import describe_skipped
from schemas.base import SCHEMA_VERSION


def write_report(
    root: Path, name: str, output: Path | None, *, compare_by: str | None, only: str, as_json: bool
) -> None:
    """Write a run's report, and print its path."""
    place = store.find_run(root, name)
    run, path = Run.from_store(place), output or place.page_path
    run = run.select_computations(only) if only else run
    run = run if compare_by is None else run.compared_by(compare_by)
    for sentence in describe_skipped(run.skipped):
        print_line(Console(stderr=True), sentence)
    text = reporting.render_page(run)
    try:
        write_file(path, text.encode())
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; choose another with --output") from error
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "run": run.name, "page": str(path)})
    else:
        print_line(Console(), to_printable(str(path)))
