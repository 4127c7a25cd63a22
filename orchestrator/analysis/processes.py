"""Selection of the processes behind a cell's numbers, for charts of single processes."""

from collections import defaultdict
from collections.abc import Sequence

from orchestrator.analysis.results import exclude_cache_fills
from orchestrator.attempts import last_attempts
from schemas.record import JobRecord


def collect_measured_jobs(records: Sequence[JobRecord]) -> dict[str, tuple[JobRecord, ...]]:
    """Return the measured jobs by cell id, in the order of the records. A cell without any has no entry."""
    found = defaultdict(list)
    for record in exclude_cache_fills(last_attempts(records)):
        if record.outcome == "measured" and record.report is not None:
            found[record.spec.cell.id].append(record)
    return {cell: tuple(jobs) for cell, jobs in found.items()}
