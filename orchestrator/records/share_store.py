"""Storage of the shares of a run; no other module knows the paths under its `shares/`.

Each attempt at a share has a folder `shares/<share>-<attempt>/`, which is the folder of a run with its own manifest and
`jobs/`. Beside them it has:

- `spec.json`: the request, on one line.
- `lease.json`: made once, by the node that runs the attempt. Its time of change is the node's last sign of life.
- `closed/<block>.json`: a block of which every job has ended, with the hash of each record.
- `end.json`: the end of the attempt, as the node states it.
- `withdrawn`: made by the head. The node ends the attempt when it sees it.
- `share.log`, `stream`: what the node printed, and what it sent.

`shares/taken.jsonl` names the blocks whose records were copied into the `jobs/` of the run, the oldest first.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.files.atomic import M, read_limited_bytes, read_model, write_bytes, write_model, write_text
from orchestrator.records.store import Store, job_name
from schemas.record import JobRecord
from schemas.share import ClosedBlock, Lease, ShareEnd, ShareSpec

ATTEMPT_NAME = re.compile(r"([1-9][0-9]{0,6})-([1-9][0-9]{0,6})")


@dataclass(frozen=True, slots=True)
class ShareStore:
    """The folder of one attempt at a share."""

    folder: Path

    @property
    def number(self) -> tuple[int, int]:
        """The numbers of the share and of the attempt."""
        share, _, attempt = self.folder.name.partition("-")
        return int(share), int(attempt)

    @property
    def run_hash(self) -> str:
        """A short name of the run on this file system, by which an engine tells the jobs of several runs apart."""
        return hashlib.sha256(str(self.folder.parent.resolve()).encode()).hexdigest()[:12]

    @property
    def run(self) -> Store:
        """The same folder as that of a run."""
        return Store(self.folder)

    @property
    def spec_path(self) -> Path:
        """The path of the request."""
        return self.folder.joinpath("spec.json")

    @property
    def log_path(self) -> Path:
        """The path of what the node prints."""
        return self.folder.joinpath("share.log")

    @property
    def stream_path(self) -> Path:
        """The path of what a node sends that shares no files."""
        return self.folder.joinpath("stream")

    @property
    def _lease_path(self) -> Path:
        return self.folder.joinpath("lease.json")

    @property
    def _end_path(self) -> Path:
        return self.folder.joinpath("end.json")

    @property
    def _withdrawal_path(self) -> Path:
        return self.folder.joinpath("withdrawn")

    def _closed_path(self, block: int) -> Path:
        return self.folder.joinpath("closed", f"{block}.json")

    def make_folders(self) -> None:
        """Make the folder, with those of records and closed blocks."""
        for name in ("jobs", "closed"):
            self.folder.joinpath(name).mkdir(parents=True, exist_ok=True)

    def write_spec(self, spec: ShareSpec) -> None:
        """Write the request, on one line."""
        write_text(self.spec_path, f"{spec.model_dump_json()}\n")

    def read_spec(self) -> ShareSpec:
        """Read the request."""
        return read_model(self.spec_path, ShareSpec)

    def take_lease(self, lease: Lease) -> bool:
        """Take the lease of the attempt; return False if it has been taken before."""
        try:
            descriptor = os.open(self._lease_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "wb") as file:
            file.write(lease.model_dump_json().encode())
            file.flush()
            os.fsync(file.fileno())
        return True

    def read_lease(self) -> Lease | None:
        """Read the lease; None if nobody has taken it yet, or its holder is just writing it."""
        return read_or_none(self._lease_path, Lease)

    def renew_lease(self) -> None:
        """Give a sign of life.

        Raises:
            OSError: the lease is gone.
        """
        os.utime(self._lease_path)

    def read_pulse(self) -> tuple[int, int]:
        """Return values that change with each sign of life of the node."""
        seen = []
        for path in (self._lease_path, self.stream_path):
            try:
                found = path.stat(follow_symlinks=False)
                seen.append(found.st_mtime_ns)
            except OSError:
                seen.append(0)
        return seen[0], seen[1]

    def withdraw_attempt(self) -> bool:
        """Ask the node to end the attempt, or keep it from beginning; return True if it had not begun."""
        with suppress(FileExistsError):
            self._withdrawal_path.touch(exist_ok=False)
        return self.take_lease(Lease(withdrawn=True))

    @property
    def is_withdrawn(self) -> bool:
        """Return whether the node has to end the attempt."""
        return self._withdrawal_path.exists()

    def close_block(self, block: int, records: Iterable[JobRecord]) -> ClosedBlock:
        """Mark a block as closed, with the hashes of its records on the disk."""
        closed = self.hash_block(block, records)
        write_model(self._closed_path(block), closed)
        return closed

    def hash_block(self, block: int, records: Iterable[JobRecord]) -> ClosedBlock:
        """Hash the records of a block as they are on the disk."""
        names = sorted(f"{job_name(record.spec)}.json" for record in records)
        return ClosedBlock(block=block, records={name: hash_bytes(self.read_file(f"jobs/{name}")) for name in names})

    def read_closed(self, block: int) -> ClosedBlock | None:
        """Read the mark of a closed block; None if there is none."""
        return read_or_none(self._closed_path(block), ClosedBlock)

    def count_closed(self) -> int:
        """Return the number of blocks that are closed."""
        return sum(1 for _ in self.folder.joinpath("closed").glob("*.json"))

    def read_file(self, name: str) -> bytes:
        """Read a file of the attempt by its name, as in `jobs/001-torch.json`.

        Raises:
            OSError, UsageError: it is missing, no regular file, or too large.
        """
        return read_limited_bytes(self.folder.joinpath(name))

    def write_file(self, name: str, content: bytes) -> None:
        """Write a file that a node has sent."""
        write_bytes(self.folder.joinpath(name), content)

    def write_end(self, end: ShareEnd) -> None:
        """Write the end of the attempt."""
        write_model(self._end_path, end)

    def read_end(self) -> ShareEnd | None:
        """Read the end of the attempt; None: its node has not stated any."""
        return read_or_none(self._end_path, ShareEnd)

    def read_last_line(self) -> str:
        """Return the last line that the node printed; empty if it printed none."""
        with suppress(OSError), self.log_path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            lines = file.read().decode(errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")[:300]
        return ""


def read_or_none(path: Path, kind: type[M]) -> M | None:
    """Read a document; None if it is missing or not whole yet."""
    try:
        return read_model(path, kind)
    except UsageError:
        return None


def hash_bytes(content: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def find_shares_folder(run: Store) -> Path:
    """Return the folder of the attempts at the shares of a run."""
    return run.folder.joinpath("shares")


def list_attempts(run: Store) -> list[ShareStore]:
    """List the attempts at the shares of a run, by number, without those that a link leads to."""
    folder = find_shares_folder(run)
    if folder.is_symlink():
        return []
    paths = (path for path in folder.glob("*-*") if ATTEMPT_NAME.fullmatch(path.name))
    found = (ShareStore(path) for path in paths if path.is_dir() and not path.is_symlink())
    return sorted(found, key=lambda each: each.number)


def open_attempt(run: Store, share: int, attempt: int) -> ShareStore:
    """Return the folder of an attempt, which need not exist."""
    return ShareStore(find_shares_folder(run).joinpath(f"{share}-{attempt}"))


def locate_log(run: Store, record: JobRecord) -> Path:
    """Return the path of a job's log, which stays in the folder of its share if another machine has run it.

    Raises:
        UsageError: a link leads there.
    """
    placed = record.placement
    log = (open_attempt(run, placed.share, placed.attempt).run if placed else run).log_path(record.spec)
    for folder in log.relative_to(run.folder).parents:
        if (place := run.folder.joinpath(folder)) != run.folder and place.is_symlink():
            raise UsageError(f"{place} is a symbolic link, which no run contains; remove it")
    return log


def iterate_attempt_specs(run: Store) -> Iterator[tuple[ShareStore, ShareSpec]]:
    """Yield the attempts at the shares of a run whose request can be read, by number."""
    for attempt in list_attempts(run):
        with suppress(UsageError):
            yield attempt, attempt.read_spec()
