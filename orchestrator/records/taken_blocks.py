"""The blocks of a run on several machines that count, each from one attempt at a share.

The list is a file that only grows. A block is entered before its records are copied into the run, so that a copy which
was interrupted is completed later from the same attempt.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from orchestrator.records.share_store import find_shares_folder
from orchestrator.records.store import Store
from schemas.base import Model, PositiveInt
from schemas.share import RecordName


class TakenBlock(Model):
    """A line of the list: a block, the attempt that measured it, and its records.

    A block that another attempt had closed first is `kept` in the folder of the attempt.
    """

    block: PositiveInt
    share: PositiveInt
    attempt: PositiveInt
    records: tuple[RecordName, ...] = ()
    kept: bool = False


@dataclass(slots=True)
class TakenBlocks:
    """The list of one run."""

    path: Path
    by_block: dict[int, tuple[int, int]] = field(default_factory=dict)
    kept: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    """Blocks that do not count, by attempt."""

    def add_entry(self, entry: TakenBlock) -> None:
        """Enter a block, and flush the list to the disk.

        Raises:
            OSError: the disk is full; the list stays as it was.
        """
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("ab") as file:
            before = file.seek(0, os.SEEK_END)
            try:
                file.write(f"{entry.model_dump_json()}\n".encode())
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), before)
                raise
        self.note_entry(entry)

    def note_entry(self, entry: TakenBlock) -> None:
        """Keep an entry of the list in memory."""
        attempt = (entry.share, entry.attempt)
        if entry.kept:
            self.kept.setdefault(attempt, []).append(entry.block)
        else:
            self.by_block[entry.block] = attempt

    def forget_block(self, block: int) -> None:
        """Forget a block whose records are gone; measured again, it is entered again."""
        self.by_block.pop(block, None)

    def is_known(self, block: int, attempt: tuple[int, int]) -> bool:
        """Return whether the block of this attempt has been entered."""
        return self.by_block.get(block) == attempt or block in self.kept.get(attempt, ())

    def list_missing(self, last: int) -> list[int]:
        """List the blocks up to the last one that no attempt has closed."""
        return [block for block in range(1, last + 1) if block not in self.by_block]


def load_taken(run: Store) -> tuple[TakenBlocks, list[TakenBlock]]:
    """Load the list of a run, with its entries; a line that was cut off by the end of its writer is removed."""
    taken = TakenBlocks(find_shares_folder(run).joinpath("taken.jsonl"))
    entries = list(read_entries(taken.path))
    for entry in entries:
        taken.note_entry(entry)
    return taken, entries


def read_entries(path: Path) -> Iterator[TakenBlock]:
    """Yield the entries of a list, and cut off what follows the last whole line."""
    try:
        content = path.read_bytes()
    except OSError:
        return
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
    for line in content[:whole].splitlines():
        try:
            yield TakenBlock.model_validate_json(line)
        except ValidationError:
            continue  # such a block is measured again
