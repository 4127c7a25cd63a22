"""The records of a run that may still be growing: each file is read once, and again only if it has changed."""

from dataclasses import dataclass, field

from orchestrator.errors import UsageError
from orchestrator.records import store
from orchestrator.records.attempts import sort_records
from schemas.record import JobRecord


@dataclass(slots=True)
class RecordWatcher:
    """The records of one run, as far as they have been read, and what cannot be read, each with the reason."""

    place: store.Store
    records: tuple[JobRecord, ...] = ()
    skipped: tuple[str, ...] = ()
    revision: int = 0
    """The number of times that something had changed."""
    _stamps: dict[str, tuple[int, int]] = field(default_factory=dict)
    _found: dict[str, JobRecord | str] = field(default_factory=dict)

    def refresh(self) -> bool:
        """Read the files that are new or have changed; return whether there were any."""
        stamps = dict[str, tuple[int, int]]()
        for path in self.place.list_record_files():
            try:
                said = path.stat(follow_symlinks=False)
            except OSError:  # removed since the folder was listed
                continue
            stamps[path.name] = (said.st_mtime_ns, said.st_size)
            if self._stamps.get(path.name) != stamps[path.name]:
                try:
                    self._found[path.name] = store.read_record(path)
                except UsageError as error:
                    self._found[path.name] = str(error).replace(str(path), path.name)
        if stamps == self._stamps:
            return False
        self._stamps, self.revision = stamps, self.revision + 1
        found = [self._found[name] for name in stamps]
        self._found = dict(zip(stamps, found, strict=True))
        self.records = tuple(sort_records([each for each in found if isinstance(each, JobRecord)]))
        self.skipped = tuple(each for each in found if isinstance(each, str))
        return True
