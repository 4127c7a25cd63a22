"""What modes were seen to compute right, by the records that are here. Pure."""

from collections.abc import Iterable, Mapping

from schemas.job import Task
from schemas.record import JobRecord, Outcome

Seen = Mapping[str, Mapping[str, Mapping[Task, Outcome]]]
"""By mode, workload and task, what came of it last."""


def seen(records: Iterable[JobRecord]) -> Seen:
    """What came of each mode on each workload and task; of records that begin with the newest, the first counts.

    A time that was doubted afterwards was taken of a right result, and counts as `measured` here. What says nothing of
    the mode does not count at all: who stopped, skipped or lost a job.
    """
    found: dict[str, dict[str, dict[Task, Outcome]]] = {}
    for record in records:
        cell, outcome = record.spec.cell, record.outcome
        if outcome in ("skipped", "interrupted", "orchestrator-lost"):
            continue
        right = record.report is not None and not record.report.verification.reason
        tasks = found.setdefault(f"{cell.framework}:{cell.mode}", {}).setdefault(cell.workload, {})
        tasks.setdefault(cell.task, "measured" if right else outcome)
    return found
