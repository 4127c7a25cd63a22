"""The records of a run on disk: what was derived of each is in memory, and a record is read when it is looked at."""

import operator
from collections.abc import Iterator, Sequence
from typing import overload

from orchestrator.analysis.derivation.process import Process
from orchestrator.records.store import Store, read_record
from schemas.record import JobRecord


class StoredRecords(Sequence[JobRecord]):
    """The records of a run by their processes, in the same order; each is read whenever it is asked for."""

    def __init__(self, store: Store, processes: tuple[Process, ...]) -> None:
        self.store, self.processes = store, processes

    @overload
    def __getitem__(self, place: int) -> JobRecord: ...

    @overload
    def __getitem__(self, place: slice) -> "StoredRecords": ...

    def __getitem__(self, place: int | slice) -> "JobRecord | StoredRecords":
        """Read one record, or choose several.

        Raises:
            UsageError: it has been removed or damaged since its process was derived.
        """
        if isinstance(place, slice):
            return StoredRecords(self.store, self.processes[place])
        return read_record(self.store.jobs_folder.joinpath(self.processes[place].file))

    def __iter__(self) -> Iterator[JobRecord]:
        """Read one record after the other."""
        return (self[place] for place in range(len(self.processes)))

    def __eq__(self, other: object) -> bool:
        """Read and compare all records."""
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(operator.eq, self, other))

    def __hash__(self) -> int:
        """Return a hash of their place and number."""
        return hash((self.store, len(self)))

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.processes)
