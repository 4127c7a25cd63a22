"""Admission: everything that a publication states is recomputed from its samples, and what does not hold is refused."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from orchestrator.analysis.compare import CLAIMS, Comparison, Verdict
from orchestrator.analysis.run import Run
from orchestrator.errors import UsageError
from orchestrator.execution.job_summary import add_summary
from orchestrator.export.publication import contents
from orchestrator.export.publication.chronology import (
    find_copied_samples,
    find_impossible_times,
    find_long_samples,
    hash_processes,
)
from orchestrator.export.publication.code import find_code_faults
from orchestrator.export.publication.completeness import find_missing_records
from orchestrator.export.publication.conclusion import describe_publication, name_folder
from orchestrator.export.publication.contents import BOUNDS, DESCRIPTION, Contents, Refusal
from orchestrator.export.publication.disclosure import (
    LONGEST_TEXT,
    PUBLIC_VARIABLES,
    WITHHELD,
    find_disclosure,
    walk_texts,
)
from orchestrator.export.publication.ending import find_wrong_ending
from orchestrator.export.publication.neutral import name_node
from orchestrator.export.publication.outcomes import find_false_outcomes
from orchestrator.export.publication.requests import find_foreign_requests
from orchestrator.export.publication.sums import find_wrong_sums
from orchestrator.export.publication.versions import is_known_code
from orchestrator.records.nodes import list_nodes
from orchestrator.records.provenance import ORCHESTRATOR_FIELDS, make_identity, select_timing_facts
from orchestrator.records.store import COMPRESSED, JOBS, MANIFEST, PAGE, SWEEP_FILE, job_name
from orchestrator.records.sweep_settings import format_sweep_file
from orchestrator.report.page.page import render_still_page
from schemas.machine_type import identify_type
from schemas.publication import Publication
from schemas.record import JobRecord, JobSummary, Manifest

# Values that no machine measures can end an analysis. None of them is a fault of this program.
ANALYSIS_ERRORS: Final = (ArithmeticError, AssertionError, LookupError, RecursionError, ValueError)
TYPE_FOLDER: Final = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Admitted:
    """A publication that holds: its files, its description and the run that they are of."""

    contents: Contents
    publication: Publication
    run: Run


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision on one folder: what was admitted, or the sentence that refuses it."""

    folder: Path
    admitted: Admitted | None
    refusal: str = ""


def find_publications(folder: Path) -> list[Path]:
    """Return the folder itself if it is a publication, or else those in it and in its folders of machine types.

    Raises:
        UsageError: there is none.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; name a publication, or a folder of publications")
    if folder.joinpath(DESCRIPTION).exists() or folder.joinpath(MANIFEST).exists():
        return [folder]
    if found := [path for inner in list_folders(folder) for path in list_within_type(inner)]:
        return found
    raise UsageError(f"{folder} holds no publication; make one with: python -m orchestrator publish RUN --to DIR")


def list_folders(folder: Path) -> list[Path]:
    """List the visible folders in a folder, and links to folders or to nothing, which no publication may be."""
    return [path for path in list_visible(folder) if path.is_dir() or (path.is_symlink() and not path.exists())]


def list_within_type(folder: Path) -> list[Path]:
    """List the folders and links in the folder of a machine type; another folder, or a link, stands for itself."""
    if folder.is_symlink() or not TYPE_FOLDER.fullmatch(folder.name):
        return [folder]
    return [path for path in list_visible(folder) if path.is_symlink() or path.is_dir()]


def list_visible(folder: Path) -> list[Path]:
    """List what a folder holds. What is hidden is no publication: .git, and what a killed `publish` has left."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def decide_all(folder: Path, now: datetime) -> Iterator[Decision]:
    """Check a publication, or all in a folder, and yield each decision. A run that is there twice is admitted once.

    Raises:
        UsageError: there is none.
    """
    known = dict[bytes, tuple[str, Path]]()
    for path in find_publications(folder):
        yield refuse_known(decide_admission(path, now, within=folder not in (path, path.parent)), known)


def refuse_known(decision: Decision, known: dict[bytes, tuple[str, Path]]) -> Decision:
    """Refuse a publication with a process of one that was admitted before, or add its processes to those.

    Else one run, published under several dates, would agree with itself.
    """
    if decision.admitted is None:
        return decision
    processes = hash_processes(decision.admitted.run.records)
    for digest, name in processes.items():
        if digest in known:
            job, other = known[digest]
            return Decision(decision.folder, None, f"{name} has the samples of {job} in {other}; remove one of the two")
    known.update({digest: (name, decision.folder) for digest, name in processes.items()})
    return decision


def decide_admission(folder: Path, now: datetime, *, within: bool = False) -> Decision:
    """Check one folder. `within`: it lies in the folder of its machine type."""
    try:
        admitted = admit_contents(contents.read_contents(folder), now)
        if within:
            check_type_folder(folder, admitted.publication)
    except Refusal as refusal:
        return Decision(folder, None, str(refusal))
    return Decision(folder, admitted)


def check_type_folder(folder: Path, stated: Publication) -> None:
    """Refuse a publication in the folder of another type of machine."""
    if folder.parent.name != stated.machine:
        raise Refusal(f"it lies in {folder.parent.name}, and its machine is of type {stated.machine}")


def admit_contents(found: Contents, now: datetime) -> Admitted:
    """Check the files of a publication.

    Raises:
        Refusal: something does not hold.
    """
    stated, _ = found.parse_file(DESCRIPTION, Publication)
    check_files(found, stated)
    manifest, document = found.parse_file(MANIFEST, Manifest)
    check_disclosures(MANIFEST, document)
    records = [*read_records(found)]
    run = Run(name=found.name, manifest=manifest, records=tuple(records))
    try:
        check_faults(found, run, stated, now)
        check_conclusion(found, run, stated)
    except ANALYSIS_ERRORS as error:
        raise Refusal(f"its records cannot be analysed: {str(error)[:200]}") from error
    except UsageError as error:
        raise Refusal(str(error)) from error
    found.check_form(DESCRIPTION, stated)
    found.check_form(MANIFEST, manifest)
    return Admitted(found, stated, run)


def check_files(found: Contents, stated: Publication) -> None:
    """Refuse files that are missing, unknown or not those that were published."""
    for name in sorted({*found.files} - {*stated.files, DESCRIPTION}):
        raise Refusal(f"{name} is not among the files of {DESCRIPTION}; remove it")
    for name, due in sorted(stated.files.items()):
        content = found.read_bytes(name)
        if hashlib.sha256(content).hexdigest() != due.sha256 or len(content) != due.size_bytes:
            raise Refusal(f"{name} is not the file that was published: its hash differs")


def read_records(found: Contents) -> Iterator[JobRecord]:
    """Yield all records, as long as together they are not too large."""
    total = 0
    for name in found.record_names:
        total += len(found.get_plain(name))
        if total > BOUNDS.total_bytes:
            raise Refusal(f"its records are larger than {BOUNDS.total_bytes >> 20} MiB together")
        yield read_record(found, name)


def read_record(found: Contents, name: str) -> JobRecord:
    """Return a record that discloses nothing. Its summary and its name must be those of its content."""
    record, document = found.parse_file(name, JobRecord)
    check_disclosures(name, document)
    if name != f"{JOBS}/{job_name(record.spec)}{COMPRESSED}":
        raise Refusal(f"{name} holds the record of {job_name(record.spec)}")
    try:
        due = add_summary(record).model_dump(mode="json")["summary"]
    except ANALYSIS_ERRORS as error:
        raise Refusal(f"{name} has values that no job measures: {str(error)[:200]}") from error
    if not isinstance(document, dict) or document.get("summary") != due:
        raise Refusal(f"the summary of {name} contradicts its samples")
    found.check_form(name, record.model_copy(update={"summary": JobSummary.model_validate(due)}))
    return record


def check_faults(found: Contents, run: Run, stated: Publication, now: datetime) -> None:
    """Refuse a publication for the first thing that does not hold."""
    for sentence in find_faults(found, run, stated, now):
        raise Refusal(sentence)


def find_faults(found: Contents, run: Run, stated: Publication, now: datetime) -> Iterator[str]:
    """Yield a sentence for each thing that does not hold, before anything is computed from the samples."""
    manifest = run.manifest
    yield from find_unpublished_variables(manifest, run.records)
    yield from find_named_machines(manifest, run.records)
    yield from find_manifest_faults(manifest, stated)
    yield from find_foreign_hosts(manifest, run.records, stated)
    yield from find_code_faults(found, run)
    yield from find_missing_records(manifest, run.records)
    yield from find_impossible_times(manifest, run.records, now)
    yield from find_copied_samples(run.records)
    yield from find_long_samples(run.records)
    yield from find_false_outcomes(run.records)
    yield from find_wrong_sums(run.records)
    yield from find_foreign_requests(manifest, run.records)
    yield from find_foreign_environments(manifest, run.records)
    if found.read_bytes(SWEEP_FILE) != format_sweep_file(manifest).encode():
        yield f"{SWEEP_FILE} is not the sweep of the manifest"
    yield from find_wrong_ending(run)


def check_disclosures(name: str, document: object) -> None:
    """Refuse a document with a text that nobody may publish, or that is too long to be searched."""
    for place, text in walk_texts(document):
        if len(text) > LONGEST_TEXT:
            raise Refusal(f"{name} has a text of {len(text)} characters in {place[:100]}; {LONGEST_TEXT} are the most")
        if what := find_disclosure(text):
            raise Refusal(f"{name} discloses {what} in {place[:100]}")


def find_unpublished_variables(manifest: Manifest, records: Sequence[JobRecord]) -> Iterator[str]:
    """Yield a sentence for each environment variable whose value should have been withheld."""
    tables = [("the manifest", manifest.host.variables)]
    tables += [(f"environment {name}", spec.variables) for name, spec in manifest.sweep.environments.items()]
    for record in records:
        memory = record.report.memory if record.report else None
        for table in (record.spec.variables, record.host.variables, memory.allocator if memory else {}):
            tables.append((job_name(record.spec), table))
    for where, table in tables:
        for name, value in table.items():
            if name not in PUBLIC_VARIABLES and value != WITHHELD:
                yield f"{where} discloses the environment variable {name[:60]}"


def find_named_machines(manifest: Manifest, records: Sequence[JobRecord]) -> Iterator[str]:
    """Yield a sentence for each name of a machine on which a part of the run was measured."""
    if manifest.sweep.cluster is not None:
        yield "the manifest discloses how its machines are reached"
    nodes = list_nodes(records)
    for number, name in enumerate(nodes, 1):
        if name != name_node(number):
            yield f"a record discloses the name of a node, which should be {name_node(number)!r}"


def find_manifest_faults(manifest: Manifest, stated: Publication) -> Iterator[str]:
    """Yield a sentence for each part of the manifest with which no run is published."""
    if not manifest.finished:
        yield "its run is unfinished"
    if manifest.mixed:
        yield "its run is mixed: its parts were measured under different conditions"
    if manifest.identity is None:
        yield "its manifest does not name the code that measured"
        return
    if not is_known_code(manifest.identity.code):
        yield f"the code that measured it is unknown: {manifest.identity.code[:16]}"
    if stated.code != manifest.identity.code:
        yield f"{DESCRIPTION} names another code than the manifest"
    if make_identity(manifest.original_sweep, manifest.seed, manifest.cells).sweep != manifest.identity.sweep:
        yield "the manifest was edited: its sweep, seed or cells are not those that its hash is of"
    ids = [cell.id for cell in manifest.cells]
    if len({*ids}) != len(ids):
        yield "the manifest has a cell twice"


def find_foreign_hosts(manifest: Manifest, records: Sequence[JobRecord], stated: Publication) -> Iterator[str]:
    """Yield a sentence for each machine that is not the one of the manifest, or not of the type that is stated."""
    machine = identify_type(manifest.host)
    if stated.machine_type != machine or stated.machine != machine.content_hash:
        yield f"{DESCRIPTION} names another type of machine than the manifest, {machine.content_hash}"
    if stated.fingerprint != manifest.host.content_hash:
        yield f"{DESCRIPTION} names another fingerprint than the manifest, {manifest.host.content_hash}"
    # A resumed run may have been continued by another version of the orchestrator, in the same environments.
    unlike = ORCHESTRATOR_FIELDS if manifest.environments else ()
    due = select_timing_facts(manifest.host, unlike)
    for record in records:
        if (found := identify_type(record.host)) != machine:
            yield f"{job_name(record.spec)} was measured on another type of machine: {found.content_hash}"
        elif select_timing_facts(record.host, unlike) != due:
            yield f"{job_name(record.spec)} was measured with another fingerprint: {record.host.content_hash}"


def find_foreign_environments(manifest: Manifest, records: Sequence[JobRecord]) -> Iterator[str]:
    """Yield a sentence for each record of an environment that the manifest does not name, or of other packages."""
    for record in records:
        name = record.spec.cell.environment
        known = manifest.environments.get(name)
        if record.outside is None:
            continue
        if known is None:
            yield f"{job_name(record.spec)} was measured in the environment {name[:60]}, which the manifest lacks"
        elif record.freeze != known.freeze:
            yield f"{job_name(record.spec)} was measured with other packages than the manifest names"


def check_conclusion(found: Contents, run: Run, stated: Publication) -> None:
    """Refuse a publication whose conclusion or page is not that of its samples."""
    check_clones(run)
    for group in stated.groups:
        for cell in group.cells:
            if cell.rank is not None and cell.outcome != "measured":
                raise Refusal(f"{cell.label} is {cell.outcome or 'not run'}, and {DESCRIPTION} ranks it")
    files = {name: content for name, content in found.files.items() if name != DESCRIPTION}
    due = describe_publication(run, files)
    if difference := find_difference(stated, due):
        raise Refusal(f"{DESCRIPTION} is not what its records say: {difference}; publish the run again")
    if found.name != name_folder(due):
        raise Refusal(f"its folder should be named {name_folder(due)}")
    if found.read_bytes(PAGE) != render_still_page(run).encode():
        raise Refusal(f"{PAGE} is not the page of its records; publish the run again")


def find_difference(stated: Publication, due: Publication) -> str:
    """Return the first place in which two descriptions differ; empty: they do not.

    Figures may differ in the last digit, which depends on the versions of the libraries that compute them.
    """
    one, other = (dict(flatten_document(json.loads(each.model_dump_json()))) for each in (stated, due))
    for place in dict.fromkeys((*other, *one)):
        a, b = one.get(place), other.get(place)
        if a != b and not (isinstance(a, float) and isinstance(b, float) and abs(a - b) <= 2e-5 * abs(b)):
            return f"{place} is {str(a)[:60]}, and should be {str(b)[:60]}"
    return ""


def flatten_document(document: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Yield the place and the value of each leaf of a JSON document, and each list's length."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield from flatten_document(value, f"{place}.{name}".lstrip("."))
    elif isinstance(document, list):
        yield f"{place} length", len(document)
        for number, value in enumerate(document):
            yield from flatten_document(value, f"{place}.{number}".lstrip("."))
    else:
        yield place, document


def check_clones(run: Run) -> None:
    """Refuse a run whose A/A clone is missing, differs from its original, or is too uncertain to tell."""
    clones = [cell for cell in run.manifest.cells if cell.replica]
    if not clones:
        raise Refusal("it has no A/A clone, which shows that its instrument finds no difference where there is none")
    measured = run.measured_ids
    for clone in clones:
        original = clone.model_copy(update={"replica": 0})
        if original.id in measured and clone.id not in measured:
            raise Refusal(f"{original.label} was measured, and its A/A clone was not")
    for group in run.groups:
        if group.clone is not None:
            check_clone(group.clone, run.manifest.sweep.margin)


def check_clone(clone: Comparison, margin: float) -> None:
    """Refuse a clone with a claim, and an undecided one that has no interval or lies beyond the margin."""
    if clone.verdict in CLAIMS:
        raise Refusal(f"its A/A clone is {clone.verdict}: the instrument finds a difference where there is none")
    if clone.verdict is Verdict.EQUIVALENT:
        return
    decisive = clone.undisturbed or clone.ratio
    if not 0 < decisive.low <= decisive.high < float("inf"):
        raise Refusal(f"its A/A clone has no interval: {clone.blocks} blocks are too few; measure more")
    if not 1 / (1 + margin) < clone.ratio.estimate < 1 + margin:
        raise Refusal(
            f"its A/A clone is {clone.verdict} with a ratio of {clone.ratio.estimate:.3f}, beyond the margin of "
            f"{margin:.0%}; measure on a quieter machine"
        )
