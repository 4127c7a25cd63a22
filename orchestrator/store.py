"""The only file that knows paths under runs/.

A run is a folder `<when>-<name>` with `manifest.json`, and in `jobs/` for each job `<block>-<cell>.json` and
`<block>-<cell>.stderr.log`. What a cell's jobs load is `artefacts/<cell>.onnx`, or whatever ending it has to have; what
they must give, if a cell's own implementation says that, `artefacts/<cell>.npz`; beside each are the record and the log
of the job that wrote it. `profiles/` has traces of cells that were looked at, with their records and logs, and
`report.html` is for people. Every file is written beside its place, flushed to disk, and moved there: a reader sees all
of it or nothing. A second attempt at a job has files of its own, and `.lock` says who is writing.

A run may come from somebody else: no name in it leads out of its folder, no link in it is followed, nothing is read
that is no plain file or larger than any of ours.
"""

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TypeVar

from pydantic import ValidationError

from orchestrator.attempts import in_turn
from orchestrator.errors import UsageError
from orchestrator.lock import Held, held
from schemas.base import Model
from schemas.job import Cell, JobSpec
from schemas.record import ExportRecord, JobRecord, Manifest, ProfileRecord

M = TypeVar("M", bound=Model)
LATEST = "latest"
LARGEST = 64 << 20
"""Bytes of a file of ours, at most: as long as all that a worker may say."""

JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")


@dataclass(frozen=True, slots=True)
class Store:
    """One run's folder."""

    folder: Path

    @property
    def name(self) -> str:
        """The run's name, by which `show` finds it."""
        return self.folder.name

    @property
    def jobs(self) -> Path:
        """Where the records and logs are."""
        return self.folder / "jobs"

    def log(self, spec: JobSpec) -> Path:
        """Where a job's framework may print."""
        return self._job(spec).with_suffix(".stderr.log")

    def write(self, record: JobRecord) -> None:
        """Keep one job's record."""
        write(self._job(record.spec), record)

    def write_manifest(self, manifest: Manifest) -> None:
        """Say what this run is; again when it has ended."""
        write(self.folder / "manifest.json", manifest)

    def manifest(self) -> Manifest:
        """Read what this run is."""
        return read(self.folder / "manifest.json", Manifest)

    @property
    def page(self) -> Path:
        """Where the report is, for people to open."""
        return self.folder / "report.html"

    def records(self) -> list[JobRecord]:
        """Read all records, in the order of their blocks and positions."""
        return in_turn(read(path, JobRecord) for path in self._found())

    def salvage(self) -> tuple[list[JobRecord], list[str]]:
        """Read all records that can be read, and set the others aside: those, and the names of these."""
        found, damaged = list[JobRecord](), list[str]()
        for path in self._found():
            try:
                found.append(read(path, JobRecord))
            except UsageError:
                path.rename(path.with_suffix(".damaged"))
                damaged.append(path.name)
        return in_turn(found), sorted(damaged)

    @contextmanager
    def locked(self, about: str) -> Iterator[str]:
        """Be the only one who writes to this run. Gives what the last writer said, if it did not end in order.

        Raises:
            UsageError: another process is writing to it, or it cannot be locked.
        """
        with contextlib.ExitStack() as stack:
            try:
                lock = stack.enter_context(held(self.folder / ".lock", about))
            except Held as error:
                writer = str(error).partition(" ")[0] or "unknown"
                raise UsageError(
                    f"{self.name} is being written by process {writer}; wait for it, or stop it first"
                ) from error
            except OSError as error:
                raise UsageError(f"cannot lock {self.folder}: {error.strerror}; is its disk writable?") from error
            yield lock.before

    def _found(self) -> list[Path]:
        if self.jobs.is_symlink():
            raise UsageError(f"{self.jobs} is a link, and no run of ours has one there")
        return list(self.jobs.glob("*.json"))

    def artefact(self, cell: Cell, suffix: str) -> Path:
        """Where what a cell's jobs load is written, in a folder that is there from now on."""
        return self._beside("artefacts", f"{cell.id}{suffix}")

    def expected(self, cell: Cell) -> Path:
        """Where what a cell gives is written, for others to be held against."""
        return self.artefact(cell, ".npz")

    def export_log(self, cell: Cell) -> Path:
        """Where an exporter may print."""
        return self.artefact(cell, ".stderr.log")

    def write_export(self, record: ExportRecord) -> None:
        """Keep one export's record."""
        write(self.artefact(record.spec.cell, ".json"), record)

    def exports(self) -> list[ExportRecord]:
        """Read the records of all exports that can be read, each with its file where the run is now."""
        return [self._here(record) for record in readable(self.folder.glob("artefacts/*.json"), ExportRecord)]

    def _here(self, record: ExportRecord) -> ExportRecord:
        if record.exported is None:
            return record
        place = self.folder.resolve() / "artefacts" / Path(record.exported.artefact.path).name
        artefact = record.exported.artefact.model_copy(update={"path": str(place)})
        return record.model_copy(update={"exported": record.exported.model_copy(update={"artefact": artefact})})

    def profile(self, cell: Cell, suffix: str) -> Path:
        """Where a cell's trace, its record and its log are written, in a folder that is there from now on."""
        return self._beside("profiles", f"{cell.id}{suffix}")

    def write_profile(self, record: ProfileRecord) -> None:
        """Keep the record of one look at a cell."""
        write(self.profile(record.spec.cell, ".record.json"), record)

    def profiles(self) -> list[ProfileRecord]:
        """Read the records of all looks at cells that can be read."""
        return list(readable(self.folder.glob("profiles/*.record.json"), ProfileRecord))

    def _beside(self, name: str, file: str) -> Path:
        """A file that will be written in a folder of the run. What leads out of the run is no place for it."""
        folder = self.folder / name
        if folder.is_symlink():
            raise UsageError(f"{folder} is a link, and no run of ours has one there")
        folder.mkdir(exist_ok=True)
        place = folder.resolve() / file
        if place.is_symlink():
            raise UsageError(f"{place} is a link, and no run of ours has one there")
        return place

    def _job(self, spec: JobSpec) -> Path:
        name = job_name(spec)
        if not JOB_NAME.fullmatch(name):
            raise UsageError(f"{self.name}: {name[:80]!r} is no name of a job")
        return self.jobs / f"{name}.json"


def job_name(spec: JobSpec) -> str:
    """A job's name within its run."""
    return f"{spec.block:03}-{spec.cell.id}" + (f"-attempt-{spec.attempt}" if spec.attempt > 1 else "")


def create(root: Path, name: str, now: datetime) -> Store:
    """Make the folder of a new run.

    Raises:
        UsageError: it cannot be written to.
    """
    stem = f"{now:%Y%m%d-%H%M%S}-{name}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        folder = _fresh(root, stem)
        (folder / "jobs").mkdir()
    except OSError as error:
        raise UsageError(f"cannot write a run to {root}: {error.strerror}; choose a folder with --runs") from error
    return Store(folder)


def _fresh(root: Path, stem: str) -> Path:
    for suffix in ("", *(f"-{number}" for number in range(2, 1000))):
        with contextlib.suppress(FileExistsError):
            folder = root / f"{stem}{suffix}"
            folder.mkdir()
            return folder
    raise UsageError(f"too many runs named {stem} in {root}")


def find(root: Path, text: str) -> Store:
    """The run of that path, name or beginning of a name; `latest` is the newest.

    Raises:
        UsageError: there is none, or there are several.
    """
    if (Path(text) / "manifest.json").is_file():
        return Store(Path(text))
    names = sorted((path.parent.name for path in root.glob("*/manifest.json")), key=in_order)
    if not names:
        raise UsageError(f"there are no runs in {root}; start one with: python -m orchestrator sweep")
    fitting = names[-1:] if text == LATEST else [name for name in names if name.startswith(text) or text in name]
    if text in names:
        fitting = [text]
    if len(fitting) != 1:
        what = "no run fits" if not fitting else "several runs fit"
        raise UsageError(f"{what} {text!r}; there are: {', '.join((fitting or names)[-5:])}")
    return Store(root / fitting[0])


def in_order(name: str) -> list[str | int]:
    """A key that sorts `-9` before `-11`."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def find_record(records: list[JobRecord], text: str) -> JobRecord:
    """The record whose job is named so, or the only one whose name contains it.

    Raises:
        UsageError: there is none, or there are several.
    """
    fitting = [record for record in records if text in job_name(record.spec)]
    exact = [record for record in fitting if text == job_name(record.spec)]
    if len(exact or fitting) != 1:
        what = "no job fits" if not fitting else "several jobs fit"
        names = [job_name(record.spec) for record in (fitting or records)][:5]
        raise UsageError(f"{what} {text!r}; for example: {', '.join(names)}")
    return (exact or fitting)[0]


def recent(root: Path, most: int) -> Iterator[JobRecord]:
    """Records of the newest runs, as far as they can be read, newest run first."""
    newest = sorted(root.glob("*/jobs/*.json"), key=lambda path: path.parent.parent.name, reverse=True)
    for path in newest[:most]:
        with contextlib.suppress(UsageError):
            yield read(path, JobRecord)


def write(path: Path, model: Model) -> None:
    """Write a document as a file, whole or not at all."""
    write_text(path, model.model_dump_json(indent=1))


def write_text(path: Path, text: str) -> None:
    """Write a text as a file, whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    beside = path.with_name(f".{path.name}.part")
    beside.unlink(missing_ok=True)
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(folder: Path) -> None:
    """Have a folder's new names on disk, where a folder can be synchronised."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def opened(path: Path) -> IO[bytes]:
    """Open a plain file of a run. What else may be there, a link, a pipe, a device, is not opened.

    Raises:
        OSError: there is none.
    """
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a plain file", str(path))
    return file


def readable(paths: Iterable[Path], kind: type[M]) -> Iterator[M]:
    """What can be read of these files of ours, in the order of their names. The others can be made again."""
    for path in sorted(paths):
        with contextlib.suppress(UsageError):
            yield read(path, kind)


def read(path: Path, kind: type[M]) -> M:
    """Read a file of ours.

    Raises:
        UsageError: it is not there, or is not what it should be.
    """
    try:
        with opened(path) as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise UsageError(f"{path} is larger than {LARGEST >> 20} MiB, which no file of ours is")
        return kind.model_validate_json(content)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise UsageError(f"{path} is not a file of this version: {place}: {first['msg']}") from error
