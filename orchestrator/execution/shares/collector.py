"""Collection of closed blocks: the records of each are verified, and copied into the run once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from orchestrator.errors import UsageError
from orchestrator.files.atomic import remove_abandoned, replace_bytes
from orchestrator.records.share_store import ShareStore, hash_bytes, open_attempt
from orchestrator.records.store import Store, job_name
from orchestrator.records.taken_blocks import TakenBlock, TakenBlocks, load_taken
from schemas.job import Measure
from schemas.record import JobRecord
from schemas.share import ClosedBlock, ShareSpec


class WrongBlock(Exception):
    """A closed block whose records are not those of its share; the message says why."""


@dataclass(slots=True)
class Collector:
    """The records of a run's shares, on their way into the run. `on_first` gets the first record that counts."""

    run: Store
    cells: frozenset[str]
    taken: TakenBlocks
    on_first: Callable[[JobRecord], None] = lambda _: None

    def collect_blocks(self, attempt: ShareStore, spec: ShareSpec, done: int = 0) -> int:
        """Collect the blocks that an attempt has closed beyond the first `done`, and return how many it has closed.

        An attempt closes its blocks in their order.

        Raises:
            WrongBlock: its records are not what they should be; the blocks before count.
            OSError: the run cannot be written to.
        """
        while spec.first + done <= spec.last and self._take_block(attempt, spec, spec.first + done):
            done += 1
        return done

    def _take_block(self, attempt: ShareStore, spec: ShareSpec, block: int) -> bool:
        """Take a block, unless another attempt has closed it first; return False if it is not closed yet."""
        if self.taken.is_known(block, attempt.number):
            return True
        if (closed := attempt.read_closed(block)) is None:
            return False
        share, number = attempt.number
        if block in self.taken.by_block:
            self.taken.add_entry(TakenBlock(block=block, share=share, attempt=number, kept=True))
            return True
        files = self._verify_block(attempt, spec, block, closed)
        self.taken.add_entry(TakenBlock(block=block, share=share, attempt=number, records=tuple(files)))
        for name, content in files.items():
            # A run of many nodes has too many records to list their folder for each.
            replace_bytes(locate_record(self.run, name), content)
        return True

    def _verify_block(
        self, attempt: ShareStore, spec: ShareSpec, block: int, closed: ClosedBlock
    ) -> Mapping[str, bytes]:
        """Return the records of a block, each of which is what its share promises."""
        if closed.block != block:
            raise WrongBlock(f"the mark of block {block} names block {closed.block}")
        files = {name: read_verified(attempt, name, digest) for name, digest in closed.records.items()}
        for name, content in files.items():
            record = parse_record(name, content)
            check_record(record, name, spec, block, self.cells)
            if not self.taken.by_block:
                self.on_first(record)
        return files


def make_collector(run: Store, cells: frozenset[str], on_first: Callable[[JobRecord], None]) -> Collector:
    """Return the collector of a run. Copies that were interrupted are completed, and what is lost is forgotten."""
    remove_abandoned(run.jobs_folder)
    taken, entries = load_taken(run)
    for entry in entries:
        if not entry.kept and not complete_copy(run, entry):
            taken.forget_block(entry.block)
    return Collector(run, cells, taken, on_first)


def complete_copy(run: Store, entry: TakenBlock) -> bool:
    """Copy the records of a block that the run lacks; return False if one is gone."""
    source = open_attempt(run, entry.share, entry.attempt)
    for name in entry.records:
        if not locate_record(run, name).is_file():
            closed = source.read_closed(entry.block)
            try:
                content = read_verified(source, name, closed.records.get(name, "") if closed else "")
            except WrongBlock:
                return False
            replace_bytes(locate_record(run, name), content)
    return True


def locate_record(run: Store, name: str) -> Path:
    """Return the path of a record in a run."""
    return run.jobs_folder.joinpath(name)


def read_verified(attempt: ShareStore, name: str, digest: str) -> bytes:
    """Read a record of an attempt that has this hash."""
    try:
        content = attempt.read_file(f"jobs/{name}")
    except (OSError, UsageError) as error:
        raise WrongBlock(f"{name} cannot be read: {error}") from error
    if hash_bytes(content) != digest:
        raise WrongBlock(f"{name} is not the file that its node hashed")
    return content


def parse_record(name: str, content: bytes) -> JobRecord:
    """Parse a record."""
    try:
        return JobRecord.model_validate_json(content)
    except ValidationError as error:
        raise WrongBlock(f"{name} is no record: {error.errors()[0]['msg']}") from error


def check_record(record: JobRecord, name: str, spec: ShareSpec, block: int, cells: frozenset[str]) -> None:
    """Check that a record is of this block, share and run.

    Raises:
        WrongBlock: it is not.
    """
    placed = record.placement
    is_due = record.spec.block == block and record.spec.cell.id in cells and isinstance(record.spec.purpose, Measure)
    if not is_due or f"{job_name(record.spec)}.json" != name:
        raise WrongBlock(f"{name} is no record of block {block}")
    if placed is None or (placed.share, placed.attempt) != (spec.share, spec.attempt):
        raise WrongBlock(f"{name} is of another share")
