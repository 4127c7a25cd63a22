"""`show`: a finished run or one of its jobs, on the terminal or as JSON."""

from pathlib import Path

from rich.console import Console

from orchestrator.analysis.run import Run
from orchestrator.cli.core_claims import make_announcer
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.output import print_json, print_line
from orchestrator.cli.results import OutputForms, present_results
from orchestrator.execution import rerun
from orchestrator.execution.job_summary import add_summary
from orchestrator.records import store
from orchestrator.records.share_store import locate_log
from orchestrator.report.job import rerun as repetition
from orchestrator.report.job.terminal import show_job
from orchestrator.report.sentences import describe_skipped
from schemas.record import JobRecord


def show_run(
    root: Path,
    name: str,
    job_name: str | None,
    wanted: OutputForms,
    *,
    repeat: bool = False,
    wait: bool = False,
    compare_by: str | None = None,
    only: str = "",
) -> ExitCode:
    """Show a run, perhaps along an axis, or one of its jobs; with `repeat`, run that job again and show both.

    `only` is a part of the names of the computations to show.
    """
    place = store.find_run(root, name)
    run = Run.from_store(place)
    run = run.select_computations(only) if only else run
    run = run if compare_by is None else run.compared_by(compare_by)
    if job_name is None:
        present_results(Console(), place, run, wanted)
        return ExitCode.FINE
    for sentence in describe_skipped(run.skipped):
        print_line(Console(stderr=True), sentence)
    record = run.find_record(job_name)
    if repeat:
        return show_rerun(run, record, root, wait=wait, as_json=wanted.as_json)
    if wanted.as_json:
        print_json(add_summary(record).model_dump(mode="json"))
    else:
        show_job(Console(), record, locate_log(place, record), run.canary_ns)
    return ExitCode.FINE


def show_rerun(run: Run, record: JobRecord, root: Path, *, wait: bool, as_json: bool) -> ExitCode:
    """Run a job again, and show it beside its earlier record."""
    announce = make_announcer(Console(stderr=as_json), wait=wait)
    with rerun.rerun_job(run.manifest, record, root, announce) as (now, log):
        if as_json:
            print_json(repetition.build_rerun_document(record, now))
        else:
            show_job(Console(), now, log, run.canary_ns, kept=False)
            repetition.show_rerun(Console(), record, now, run.jobs.get(record.spec.cell.id, ()))
    if now.outcome == "interrupted":
        return ExitCode.INTERRUPTED
    return ExitCode.FINE if now.outcome == "measured" else ExitCode.SOME_JOBS_FAILED
