"""`export`: a run in the format of another program."""

import sys
from pathlib import Path

from rich.console import Console

from orchestrator import api, export
from orchestrator.analysis.rows import Per
from orchestrator.cli.output import print_line, write_file
from orchestrator.errors import UsageError
from orchestrator.format import to_printable
from orchestrator.report.sentences import describe_skipped


def export_run(root: Path, name: str, form: str, per: Per | None, output: Path | None) -> None:
    """Write a run for another program, to a file or to standard output; report what was left out."""
    run = api.load(name, root)
    for sentence in describe_skipped(export.list_omitted_records(run, form)):
        print_line(Console(stderr=True), sentence)
    content = export.convert_run(run, form, per)
    for line in export.list_advice(run, form):
        print_line(Console(stderr=True), to_printable(line))
    for line in export.list_omitted_cells(run, form):
        print_line(Console(stderr=True), to_printable(f"left out, because it has no time: {line}"))
    if output is not None:
        try:
            write_file(output, content)
        except OSError as error:
            raise UsageError(f"cannot write {output}: {error.strerror}; choose another with --output") from error
    elif form in export.BINARY and sys.stdout.isatty():
        raise UsageError(f"{form} is binary, and not for a terminal; name a file with --output")
    else:
        sys.stdout.buffer.write(content)
