"""Storage of runs; no other module knows the paths under runs/.

A run is a folder `<time>-<name>` with `manifest.json`, `sweep.toml` and `report.html`. In `jobs/` each job has
`<block>-<cell>.json`, or the same compressed as `.json.gz`, and `<block>-<cell>.stderr.log`; each further attempt has
separate files. `artefacts/` has
`<cell>.onnx`, or another suffix, which a cell's jobs load, and `<cell>.npz`, the expected results if an implementation
computes them. Each stands beside the record and the log of the job that wrote it. `profiles/` has the traces of
profiled cells with their records and logs. `.lock` names the process that writes. Every file is written beside its
place, flushed to disk and moved there, so a reader sees all of it or nothing.

A run may come from an untrusted source. So no name in it leads out of its folder, no link is followed, and only regular
files of limited size are read.
"""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from orchestrator.errors import NewerVersion, UsageError, check_utf8
from orchestrator.files.atomic import open_regular, read_model, write_model, write_text
from orchestrator.files.lock import MAX_NOTE_BYTES, LockHeld, hold_exclusive, is_locked
from orchestrator.records.attempts import sort_records
from orchestrator.records.migration import upgrade_record
from orchestrator.records.sweep_settings import format_sweep_file
from schemas.event import Exported
from schemas.job import Cell, JobSpec, Measure, Profile
from schemas.record import JobRecord, Manifest

LATEST = "latest"

# Names within a run's folder.
MANIFEST = "manifest.json"
SWEEP_FILE = "sweep.toml"
PAGE = "report.html"
JOBS = "jobs"
COMPRESSED = ".json.gz"
LOG = ".stderr.log"

# Of a file: its size, the times of its last change and of the last change of its entry, and its number. No program can
# set the third one, so a file whose content has changed has another stamp.
Stamp = tuple[int, int, int, int]
NO_STAMP: Stamp = (0, 0, 0, 0)

# The folder of a job's files, by the kind of its purpose.
FOLDERS = {"measure": "jobs", "export": "artefacts", "reference": "artefacts", "profile": "profiles"}

# No separator and no leading dot: a name from a record must not lead out of the folder.
JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")


@dataclass(frozen=True, slots=True)
class Store:
    """One run's folder. `written` are the stamps of the records that were written by way of this value."""

    folder: Path
    written: dict[str, Stamp] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The run's name, which `show` accepts."""
        return self.folder.name

    @property
    def jobs_folder(self) -> Path:
        """The folder of the records and logs."""
        return self.folder / JOBS

    def log_path(self, spec: JobSpec) -> Path:
        """Return the path of a job's log, to which its framework prints."""
        return self._job_path(spec, LOG)

    def write_record(self, record: JobRecord) -> None:
        """Write one job's record."""
        suffix = ".record.json" if isinstance(record.spec.purpose, Profile) else ".json"
        path = self._job_path(record.spec, suffix)
        write_model(path, record)
        if path.parent == self.jobs_folder:
            # Taken now: whatever changes the file from here on shows in another stamp.
            self.written[path.name] = read_stamp(path)

    def write_manifest(self, manifest: Manifest) -> None:
        """Write the manifest, at the start of the run and again at its end."""
        write_model(self.folder / MANIFEST, manifest)

    def write_sweep_file(self, manifest: Manifest) -> None:
        """Write the settings of the run as a sweep file, at its start."""
        write_text(self.sweep_path, format_sweep_file(manifest))

    @property
    def sweep_path(self) -> Path:
        """The path of the sweep file that repeats the run."""
        return self.folder / SWEEP_FILE

    def read_manifest(self) -> Manifest:
        """Read the manifest."""
        return read_model(self.folder / MANIFEST, Manifest)

    def read_manifest_stamp(self) -> Stamp:
        """Return the stamp of the manifest."""
        return read_stamp(self.folder / MANIFEST)

    def read_stamps(self) -> tuple[Stamp, int]:
        """Return what changes with the manifest or with any record."""
        records = {} if self.jobs_folder.is_symlink() else self.list_record_stamps()
        return self.read_manifest_stamp(), hash(tuple(records.items()))

    @property
    def page_path(self) -> Path:
        """The path of the HTML report."""
        return self.folder / PAGE

    def read_records(self) -> list[JobRecord]:
        """Read the records of all jobs that measure, ordered by block and position.

        Raises:
            UsageError: one cannot be read.
        """
        return sort_records(map(read_record, self.list_record_files()))

    def salvage_records(self) -> tuple[list[JobRecord], list[str]]:
        """Set damaged records aside, and return the others and the names of the damaged ones.

        Raises:
            NewerVersion: a newer version has written one; none is set aside.
        """
        found, damaged = list[JobRecord](), list[Path]()
        for path in self.list_record_files():
            try:
                found.append(read_record(path))
            except NewerVersion:
                raise
            except UsageError:
                damaged.append(path)
        for path in damaged:
            # Renamed, not removed: it may still show the user what happened.
            path.rename(path.with_suffix(".damaged"))
        return sort_records(found), [path.name for path in damaged]

    @contextmanager
    def hold_lock(self, about: str) -> Iterator[str]:
        """Hold this run's lock, and yield the last writer's note if that ended abruptly.

        Raises:
            UsageError: another process is writing to the run, or it cannot be locked.
        """
        check_utf8(self.folder.resolve(), "rename or move it")
        with contextlib.ExitStack() as stack:
            try:
                lock = stack.enter_context(hold_exclusive(self.folder / ".lock", about))
            except LockHeld as error:
                writer = str(error).partition(" ")[0] or "unknown"
                raise UsageError(
                    f"{self.name} is being written by process {writer}; wait for it, or stop it first"
                ) from error
            except OSError as error:
                raise UsageError(
                    f"cannot lock {self.folder}: {error.strerror}; check that its disk is writable"
                ) from error
            yield lock.before

    def list_record_files(self) -> list[Path]:
        """List the files of the records of all jobs that measure, by name."""
        return [self.jobs_folder / name for name in self.list_record_stamps()]

    def list_record_stamps(self) -> dict[str, Stamp]:
        """Return the files of all records by name, each with its stamp."""
        found = dict[str, Stamp]()
        if self.jobs_folder.is_symlink():
            raise UsageError(f"{self.jobs_folder} is a symbolic link, which no run contains; remove it")
        with contextlib.suppress(FileNotFoundError), os.scandir(self.jobs_folder) as entries:
            for entry in entries:
                if entry.name.endswith((".json", COMPRESSED)) and not entry.name.startswith("."):
                    with contextlib.suppress(OSError):  # removed since the folder was listed
                        found[entry.name] = make_stamp(entry.stat(follow_symlinks=False))
        return dict(sorted(found.items()))

    def find_writer(self) -> int | None:
        """Return the process that writes to this run, as its lock names it; None if it has ended, or there is none."""
        path = self.folder / ".lock"
        try:
            # An orderly end leaves it empty, which is quicker to see than to read.
            if not path.stat(follow_symlinks=False).st_size:
                return None
            with open_regular(path) as file:
                note = file.read(MAX_NOTE_BYTES).decode(errors="replace")
        except OSError:
            return None
        pid = note.partition(" ")[0]
        if not re.fullmatch(r"[1-9][0-9]{0,9}", pid) or not is_alive(int(pid)):
            return None
        # A note may be left by a process that was killed, and its number may be another one's by now.
        return int(pid) if is_locked(path) else None

    def find_open_log(self) -> Path | None:
        """Return the newest log of a job that has no record yet; None if each job has one."""
        names = list[str]()
        with contextlib.suppress(OSError):
            names = [path.name for path in self.jobs_folder.iterdir()]
        done = {
            name.removesuffix(".gz").removesuffix(".json") for name in names if name.endswith((".json", COMPRESSED))
        }
        logs = [name for name in names if name.endswith(LOG) and name.removesuffix(LOG) not in done]
        return max(map(self.jobs_folder.joinpath, logs), key=read_mtime_ns, default=None)

    def artefact_path(self, cell: Cell, suffix: str) -> Path:
        """Return the path of the artefact that a cell's jobs load, and make its folder."""
        return self._make_path("artefacts", f"{cell.id}{suffix}")

    def expected_path(self, cell: Cell) -> Path:
        """Return the path of the results that a cell computes as the reference for others."""
        return self.artefact_path(cell, ".npz")

    def trace_path(self, cell: Cell) -> Path:
        """Return the path of a cell's trace, and make its folder."""
        return self._make_path("profiles", f"{cell.id}.trace.json")

    def read_artefact_records(self) -> list[JobRecord]:
        """Read the valid records of jobs that wrote artefacts, with the paths of the files where the run is now."""
        return [self._relocate_artefact(record) for record in read_valid_records(self.folder.glob("artefacts/*.json"))]

    def _relocate_artefact(self, record: JobRecord) -> JobRecord:
        if not isinstance(record.result, Exported):
            return record
        place = self.folder.resolve() / "artefacts" / Path(record.result.artefact.path).name
        artefact = record.result.artefact.model_copy(update={"path": str(place)})
        return record.model_copy(update={"result": record.result.model_copy(update={"artefact": artefact})})

    def read_profiles(self) -> list[JobRecord]:
        """Read the valid records of jobs that profiled."""
        return list(read_valid_records(self.folder.glob("profiles/*.record.json")))

    def _make_path(self, name: str, file: str) -> Path:
        """Return the path of a file in a folder of the run, and make the folder. Links may lead out of the run."""
        folder = self.folder / name
        if folder.is_symlink():
            raise UsageError(f"{folder} is a symbolic link, which no run contains; remove it")
        folder.mkdir(exist_ok=True)
        place = folder.resolve() / file
        if place.is_symlink():
            raise UsageError(f"{place} is a symbolic link, which no run contains; remove it")
        return place

    def _job_path(self, spec: JobSpec, suffix: str) -> Path:
        name = job_name(spec)
        if not JOB_NAME.fullmatch(name):
            raise UsageError(f"{self.name}: {name[:80]!r} is not a valid job name")
        if isinstance(spec.purpose, Measure):
            return self.jobs_folder / f"{name}{suffix}"
        return self._make_path(FOLDERS[spec.purpose.kind], f"{spec.cell.id}{suffix}")


def job_name(spec: JobSpec) -> str:
    """Return a job's name within its run."""
    return format_job_name(spec.block, spec.cell.id, spec.attempt)


def format_job_name(block: int, cell_id: str, attempt: int) -> str:
    """Return the name of an attempt at the job of a cell in a block."""
    return f"{block:03}-{cell_id}" + (f"-attempt-{attempt}" if attempt > 1 else "")


def log_stem(path: Path) -> str:
    """Return the name of the job to which a log belongs."""
    return path.name.removesuffix(LOG)


def read_stamp(path: Path) -> Stamp:
    """Return the stamp of a file; that of none if it is gone."""
    with contextlib.suppress(OSError):
        return make_stamp(path.stat(follow_symlinks=False))
    return NO_STAMP


def make_stamp(status: os.stat_result) -> Stamp:
    """Return the stamp of a file with this status."""
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def read_mtime_ns(path: Path) -> int:
    """Return when a file was last written, in nanoseconds; 0 if it is gone."""
    with contextlib.suppress(OSError):
        return path.stat(follow_symlinks=False).st_mtime_ns
    return 0


def is_alive(pid: int) -> bool:
    """Return whether there is a process with this number."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def create_run(root: Path, name: str, now: datetime) -> Store:
    """Create the folder of a new run.

    Raises:
        UsageError: the folder is not writable.
    """
    check_utf8(root.resolve(), "choose a folder with --runs")
    stem = f"{now:%Y%m%d-%H%M%S}-{name}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        folder = _make_run_folder(root, stem)
        (folder / JOBS).mkdir()
    except OSError as error:
        raise UsageError(f"cannot write a run to {root}: {error.strerror}; choose a folder with --runs") from error
    return Store(folder)


def _make_run_folder(root: Path, stem: str) -> Path:
    for suffix in ("", *(f"-{number}" for number in range(2, 1000))):
        with contextlib.suppress(FileExistsError):
            folder = root / f"{stem}{suffix}"
            folder.mkdir()
            return folder
    raise UsageError(f"too many runs named {stem} in {root}; choose another name with --name")


def find_run(root: Path, text: str) -> Store:
    """Find the run with that path, name or part of a name; `latest` is the newest.

    Raises:
        UsageError: no run matches, or several do.
    """
    if (Path(text) / MANIFEST).is_file():
        return Store(Path(text))
    names = list_runs(root)
    if not names:
        raise UsageError(f"there are no runs in {root}; start one with: python -m orchestrator sweep")
    fitting = names[-1:] if text == LATEST else [name for name in names if name.startswith(text) or text in name]
    if text in names:
        fitting = [text]
    if len(fitting) != 1:
        what = "no run matches" if not fitting else "several runs match"
        raise UsageError(f"{what} {text!r}; choose one of: {', '.join((fitting or names)[-5:])}")
    return Store(root / fitting[0])


def open_listed(root: Path, name: str) -> Store:
    """Open a run by its exact name in a folder of runs, which no name and no link leads out of.

    Raises:
        UsageError: there is no such run.
    """
    # Not by listing the folder, which may have thousands of runs.
    if Path(name).parts == (name,) and name != ".." and "\0" not in name and is_own_run(root / name):
        return Store(root / name)
    raise UsageError(f"there is no run {name!r} in {root}")


def is_own_run(folder: Path) -> bool:
    """Return whether a folder is a run, and no link to one."""
    try:
        return (folder / MANIFEST).is_file() and not folder.is_symlink()
    except OSError:  # a name that is too long, or a folder that nobody may read
        return False


def list_runs(root: Path) -> list[str]:
    """List the names of the runs in a folder, the oldest first."""
    return sorted((path.parent.name for path in root.glob(f"*/{MANIFEST}")), key=natural_sort_key)


def list_stores(root: Path) -> list[Store]:
    """List the runs in a folder, the oldest first."""
    return [Store(root / name) for name in list_runs(root)]


def natural_sort_key(name: str) -> list[str | int]:
    """Return a sort key that puts `-9` before `-11`."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def list_own_stores(root: Path) -> list[Store]:
    """List the runs in a folder without those that a link leads to, the oldest first."""
    return [place for place in list_stores(root) if not place.folder.is_symlink()]


def read_record(path: Path) -> JobRecord:
    """Read a record of this schema version or an older one.

    Raises:
        UsageError: the file is missing or invalid, or its job has another purpose than those of its folder.
    """
    record = read_model(path, JobRecord, upgrade_record)
    if path.parent.name != (due := FOLDERS[record.spec.purpose.kind]):
        raise UsageError(f"{path} has the purpose {record.spec.purpose.kind}, whose records are in {due}/; remove it")
    return record


def read_valid_records(paths: Iterable[Path]) -> Iterator[JobRecord]:
    """Yield the valid records among these files, ordered by name. The others can be made again."""
    for path in sorted(paths):
        with contextlib.suppress(UsageError):
            yield read_record(path)


def read_recent(root: Path, most: int) -> Iterator[JobRecord]:
    """Yield the readable ones of the `most` newest records, newest run first."""
    newest = sorted(root.glob("*/jobs/*.json"), key=lambda path: path.parent.parent.name, reverse=True)
    for path in newest[:most]:
        with contextlib.suppress(UsageError):
            yield read_record(path)
