"""Which processes a cell's numbers rest on: what a picture of single processes shows."""

from collections import defaultdict
from collections.abc import Sequence

from orchestrator.analysis.results import counted
from orchestrator.attempts import last_attempts
from schemas.record import JobRecord


def processes(records: Sequence[JobRecord]) -> dict[str, tuple[JobRecord, ...]]:
    """The measured jobs by cell, as its id, in the order of the records. A cell without one has no entry."""
    found = defaultdict(list)
    for record in counted(last_attempts(records)):
        if record.outcome == "measured" and record.report is not None:
            found[record.spec.cell.id].append(record)
    return {cell: tuple(jobs) for cell, jobs in found.items()}
