"""The code that a publication's run measured: built in, or a user's workload whose files are published with it."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from orchestrator.analysis.run import Run
from orchestrator.errors import UsageError
from orchestrator.export.publication.contents import Contents, Refusal, is_known_name
from orchestrator.export.publication.disclosure import CODE_PATTERNS, search_text
from orchestrator.export.publication.neutral import CODE_FOLDER, name_code_folder
from orchestrator.files.toml import parse_toml
from orchestrator.records.store import job_name
from schemas.catalog import FRAMEWORKS
from schemas.code import MAX_BYTES, WORKLOAD_FILE, UnreadableCode, hash_workload_code, list_code_files
from schemas.job import Cell, JobSpec
from schemas.record import JobRecord
from schemas.workloads import WORKLOADS, WorkloadFile

MODES: Final = frozenset((framework.name, mode.name) for framework in FRAMEWORKS for mode in framework.modes)
BUILT_IN: Final = frozenset(workload.name for workload in WORKLOADS)
# The package of the built-in implementations.
OWN_MODULES: Final = "workers."
# Of one file of code. Code that people write is smaller.
MAX_SEARCHED_BYTES: Final = 1 << 20


def find_code_faults(found: Contents, run: Run) -> Iterator[str]:
    """Yield a sentence for each cell whose code is neither known nor published."""
    for cell in run.manifest.cells:
        if (cell.framework, cell.mode) not in MODES:
            yield f"{cell.label} is no mode of this program"
        if not cell.code and cell.workload not in BUILT_IN:
            yield f"{cell.workload} is no workload of this program, and no code is published for it"
    for record in run.records:
        yield from find_foreign_code(record.spec)
        yield from find_false_loop(found, record.spec)
    # Of all cells, with records or without: a cell's code becomes part of a name in the site.
    due = {name_code_folder(cell): cell.code for cell in run.manifest.cells if cell.code}
    for folder, code in due.items():
        if hash_published_code(found, folder) != code:
            yield f"the files in {folder} are not the code that was measured"
    for name in found.files:
        if name.startswith(f"{CODE_FOLDER}/"):
            yield from find_code_file_faults(found, name, due)


def find_foreign_code(spec: JobSpec) -> Iterator[str]:
    """Yield a sentence if a job ran code that is neither built in nor published."""
    if spec.module and not spec.module.startswith(OWN_MODULES):
        yield f"{job_name(spec)} ran code of the plug-in {spec.module[:60]}, which is not published"
    if (
        spec.source_dir != (name_code_folder(spec.cell) if spec.cell.code else "")
        or spec.package
        or spec.model is not None
    ):
        yield f"{job_name(spec)} ran code that is not published"


def find_false_loop(found: Contents, spec: JobSpec) -> Iterator[str]:
    """Yield a sentence if a timed call did not call the model as often as its workload says."""
    name = read_loop(found, spec.cell)
    if spec.loop != (spec.cell.parameters.get(name) if name else 1):
        yield f"{job_name(spec)} called the model {spec.loop} times, which is not what its workload says"


def read_loop(found: Contents, cell: Cell) -> str:
    """Return the parameter that counts the calls of a cell's model; empty: it is called once.

    Raises:
        Refusal: the workload's own file cannot be read.
    """
    if not cell.code:
        return next((known.loop for known in WORKLOADS if known.name == cell.workload), "")
    place = f"{name_code_folder(cell)}/{WORKLOAD_FILE}"
    try:
        text = found.read_bytes(place).decode()
        return WorkloadFile.model_validate(parse_toml(Path(place), text)).loop
    except (UsageError, ValueError) as error:  # of TOML, of UTF-8 and of the schema
        raise Refusal(f"{place} is no file of a workload: {str(error)[:200]}") from error


def find_code_file_faults(found: Contents, name: str, due: dict[str, str]) -> Iterator[str]:
    """Yield a sentence for a file of code that no cell ran, or that discloses something."""
    if not any(name.startswith(f"{folder}/") for folder in due):
        yield f"{name} is code that no cell ran; remove it"
    if fault := describe_code_fault(found.files[name]):
        yield f"{name} {fault}"


def describe_code_fault(content: bytes) -> str:
    """Return why nobody may publish a file of code: it discloses something, or is too large; empty: it may be."""
    if len(content) > MAX_SEARCHED_BYTES:
        return f"is larger than {MAX_SEARCHED_BYTES >> 20} MiB, the most that is searched for secrets"
    try:
        what = search_text(content.decode(), CODE_PATTERNS)
    except UnicodeDecodeError:
        what = "bytes that are no text"
    return what and f"discloses {what}"


def hash_published_code(found: Contents, folder: str) -> str:
    """Return the hash of published code, as schemas/code.py computes it of a folder."""
    files = {Path(name).relative_to(folder): content for name, content in found.files.items() if is_in(name, folder)}
    whole = hashlib.sha256()
    for place in sorted(files, key=make_walk_key):
        whole.update(f"{place.as_posix()}\0{len(files[place])}\0".encode() + files[place])
    return whole.hexdigest()[:16]


def make_walk_key(place: Path) -> list[tuple[bool, str]]:
    """Return a sort key for the order in which os.walk descends: the files of a folder, then its folders."""
    last = len(place.parts) - 1
    return [(number < last, part) for number, part in enumerate(place.parts)]


def is_in(name: str, folder: str) -> bool:
    """Return whether a file lies in a folder of the publication."""
    return name.startswith(f"{folder}/")


def collect_code(records: Sequence[JobRecord], run: Path) -> dict[str, bytes]:
    """Return the files of the users' workloads that a run measured, by their names in its publication.

    `run` is the run's folder, in which a published run has its code.

    Raises:
        UsageError: a folder has changed since it was measured, or has a file that cannot be published.
    """
    found = dict[str, bytes]()
    sources = {record.spec.source_dir: record.spec for record in records if record.spec.cell.code}
    for source, spec in sources.items():
        found |= read_code_folder(run.joinpath(source), name_code_folder(spec.cell), spec.cell.code)
    return found


def read_code_folder(source: Path, folder: str, code: str) -> dict[str, bytes]:
    """Return the files of one user's workload, by their names in the publication.

    Raises:
        UsageError: the folder has changed since it was measured, or has a file that cannot be published.
    """
    try:
        if hash_workload_code(source) != code:
            raise UsageError(f"{source} has changed since it was measured; measure it again, and publish that run")
        files = {f"{folder}/{path.relative_to(source).as_posix()}": path for path in list_code_files(source)}
        found = {name: path.read_bytes() for name, path in files.items()}
    except UnreadableCode as error:
        raise UsageError(f"{error}; restore what was measured") from error
    except OSError as error:
        raise UsageError(
            f"cannot read {error.filename or source}: {error.strerror}; restore what was measured"
        ) from error
    for name, content in found.items():
        if not is_known_name(name):
            raise UsageError(f"{files[name]} has a name that cannot be published; use A-Z, a-z, 0-9, _, - and .")
        if fault := describe_code_fault(content):
            raise UsageError(f"{files[name]} {fault}; remove it, and measure again")
    assert sum(map(len, found.values())) <= MAX_BYTES
    return found
