"""Publication of a run: the same results without names of people, machines and places, admitted before it is kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from orchestrator.analysis.run import Run
from orchestrator.errors import UsageError
from orchestrator.execution.job_summary import add_summary
from orchestrator.export.publication.admit import admit_contents
from orchestrator.export.publication.code import collect_code
from orchestrator.export.publication.conclusion import describe_publication, name_folder
from orchestrator.export.publication.contents import BOUNDS, DESCRIPTION, Contents, Refusal, check_bounds, format_model
from orchestrator.export.publication.neutral import make_neutraliser
from orchestrator.files.atomic import compress_bytes
from orchestrator.files.folders import exchange_folders, make_folder_beside, write_contents
from orchestrator.records.store import COMPRESSED, JOBS, MANIFEST, PAGE, SWEEP_FILE, Store, job_name, read_record
from orchestrator.records.sweep_settings import format_sweep_file
from orchestrator.report.page.page import render_still_page
from schemas.record import JobRecord


def publish_run(place: Store, to: Path, names: Sequence[str], now: datetime, *, with_code: bool) -> Path:
    """Write the publication of a run into the folder of its machine type, and return its folder.

    `names` are the names and folders of the user and the machine, which are removed. `with_code` publishes the code of
    the user's workloads as well.

    Raises:
        UsageError: the run cannot be published, or the folder cannot be written to.
    """
    run = Run.from_store(place)
    check_publishable(run, place.find_writer(), with_code=with_code)
    made = build_contents(run, names, collect_code(run.records, place.folder))
    try:
        check_bounds(made.files)
        admitted = admit_contents(made, now)
    except Refusal as refusal:
        raise UsageError(f"{run.name} cannot be published: {refusal}") from refusal
    target = to.joinpath(admitted.publication.machine, made.name)
    check_same_run(target, admitted.run.records)
    replace_folder(target, made.files)
    return target


def check_publishable(run: Run, writer: int | None, *, with_code: bool) -> None:
    """Check that a run is complete, unmixed, and of code that others have or get. `writer` is the process that runs it.

    Raises:
        UsageError: it is not.
    """
    if not run.manifest.finished and writer is not None:
        raise UsageError(f"{run.name} is still running, in process {writer}; publish it when it has ended")
    if not run.manifest.finished:
        raise UsageError(f"{run.name} is unfinished; continue it with: python -m orchestrator resume {run.name}")
    if run.mixed:
        raise UsageError(f"{run.name} is mixed: its parts were measured under different conditions; begin a new run")
    if len(run.records) > BOUNDS.entries:
        raise UsageError(
            f"{run.name} has {len(run.records)} records, and a publication at most {BOUNDS.entries} files; publish "
            "several smaller runs"
        )
    if run.left_out:
        raise UsageError(f"{run.name} has a record that does not count: {run.left_out[0]}; begin a new run")
    for record in run.records:
        spec = record.spec
        if spec.model is not None:
            raise UsageError(
                f"{run.name} measures the model {spec.model.title} as it is, which no publication holds; make it a "
                "workload with: python -m orchestrator new-workload NAME"
            )
        if spec.package:
            raise UsageError(
                f"{run.name} measures {spec.cell.workload} of the installed package {spec.package}; measure its "
                "folder, and publish that run with --with-code"
            )
        if spec.cell.code and not with_code:
            raise UsageError(
                f"{run.name} measures your own workload {spec.cell.workload_key}; add --with-code to publish its files "
                "as well"
            )


def build_contents(run: Run, names: Sequence[str], code: Mapping[str, bytes]) -> Contents:
    """Return the files of a run's publication.

    Raises:
        UsageError: the run does not say when it began, or which code measured it.
    """
    neutral = make_neutraliser(run.manifest, run.records, names)
    manifest = neutral.neutralise_manifest(run.manifest)
    if not code:
        # A commit names the state of a repository, which may be private.
        manifest = manifest.model_copy(update={"commits": {}})
    records = [add_summary(neutral.neutralise_record(record)) for record in run.records]
    nameless = Run(name="", manifest=manifest, records=tuple(records))
    name = name_folder(describe_publication(nameless, {}))
    published = Run(name=name, manifest=manifest, records=tuple(records))
    files = {
        MANIFEST: format_model(manifest),
        SWEEP_FILE: format_sweep_file(manifest).encode(),
        PAGE: render_still_page(published).encode(),
        **{f"{JOBS}/{job_name(each.spec)}{COMPRESSED}": compress_bytes(format_model(each)) for each in records},
        **code,
    }
    return Contents(name, files | {DESCRIPTION: format_model(describe_publication(published, files))})


def check_same_run(target: Path, records: Sequence[JobRecord]) -> None:
    """Check that a folder holds no other run: two of one machine and name may begin in one second.

    Raises:
        UsageError: it does.
    """
    there = {path.name for path in target.joinpath(JOBS).glob(f"*{COMPRESSED}")}
    for record in records:
        name = f"{job_name(record.spec)}{COMPRESSED}"
        if name in there and record.outside is not None and is_same_job(target.joinpath(JOBS, name), record):
            return
    if there:
        raise UsageError(
            f"{target} holds another run that began in the same second, or damaged records; move it, or choose another "
            "folder with --to"
        )


def is_same_job(path: Path, record: JobRecord) -> bool:
    """Return whether a file is the record of the same process."""
    try:
        found = read_record(path)
    except UsageError:
        return False
    began = found.outside and found.outside.started
    return began == (record.outside and record.outside.started) and get_samples(found) == get_samples(record)


def get_samples(record: JobRecord) -> tuple[int, ...]:
    """Return the samples of a process; none without a report."""
    return record.report.samples_ns if record.report else ()


def replace_folder(target: Path, files: Mapping[str, bytes]) -> None:
    """Put files in the place of a folder, completely or not at all.

    Raises:
        UsageError: something else is there, or the folder cannot be written to.
    """
    if target.is_symlink() or (target.exists() and not target.joinpath(DESCRIPTION).is_file()):
        raise UsageError(f"{target} is there and is no publication; move it, or choose another folder with --to")
    with make_folder_beside(target) as (made, replaced):
        write_contents(made, files)
        try:
            exchange_folders(made, target, replaced)
        except OSError as error:
            raise UsageError(f"cannot write {target}: {error.strerror}; choose another folder with --to") from error
