"""Commands that hand a run on: compare it, export it, rerun one of its jobs, print the schemas."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from orchestrator import api, comparing, gates, repeating, store
from orchestrator import schema as schemas
from orchestrator.analysis.disturbance import find_canary_floor_ns
from orchestrator.errors import UsageError
from orchestrator.exits import ExitCode
from orchestrator.report import comparison, comparison_markdown, exporters, job, repetition
from orchestrator.report.printing import print_json, print_line
from orchestrator.report.rows import Per
from orchestrator.report.units import to_printable
from schemas.record import JobRecord, Manifest


def compare_runs(
    root: Path,
    one: str,
    other: str,
    *,
    fail_on: Sequence[str],
    unchanged: Sequence[str],
    at_face_value: bool,
    as_json: bool,
    as_markdown: bool,
) -> ExitCode:
    """Compare two runs, and apply the gates to what changed."""
    asked = [gates.parse_gate(text) for text in fail_on]
    compared = comparing.compare_sides(root, one, other, unchanged=unchanged, at_face_value=at_face_value)
    judged = [gates.apply_gate(gate, compared.changes) for gate in asked]
    if as_json:
        print_json(comparison.build_comparison_document(compared, judged))
    elif as_markdown:
        print(comparison_markdown.format_comparison(compared, judged), end="")
    else:
        comparison.show_comparison(Console(), compared, judged)
    return ExitCode.GATE if any(each.beyond for each in judged) else ExitCode.FINE


def export_run(root: Path, name: str, form: str, per: Per | None, output: Path | None) -> None:
    """Write a run for another program, to a file or to standard output; report what was left out."""
    run = api.load(name, root)
    content = exporters.convert_run(run, form, per)
    for line in exporters.list_omitted_cells(run, form):
        print_line(Console(stderr=True), to_printable(f"left out, because it has no time: {line}"))
    if output is not None:
        try:
            store.write_bytes(output, content)
        except OSError as error:
            raise UsageError(f"cannot write {output}: {error.strerror}; choose another with --output") from error
    elif form in exporters.BINARY and sys.stdout.isatty():
        raise UsageError(f"{form} is binary, and not for a terminal; name a file with --output")
    else:
        sys.stdout.buffer.write(content)


def print_schema(kind: str) -> None:
    """Print the JSON Schema of one kind of document."""
    print(schemas.format_schema(kind), end="")


def show_rerun(manifest: Manifest, record: JobRecord, records: Sequence[JobRecord], *, as_json: bool) -> ExitCode:
    """Run a job again, and show it beside its earlier record."""
    with repeating.rerun_job(manifest, record) as (now, log):
        if as_json:
            print_json(repetition.build_rerun_document(record, now))
        else:
            job.show_job(Console(), now, log, find_canary_floor_ns(records), kept=False)
            # Block 0 only fills caches.
            same = [each for each in records if each.spec.cell == record.spec.cell and each.spec.block]
            repetition.show_rerun(Console(), record, now, same)
    if now.outcome == "interrupted":
        return ExitCode.INTERRUPTED
    return ExitCode.FINE if now.outcome == "measured" else ExitCode.SOME_JOBS_FAILED
