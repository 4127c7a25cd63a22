"""Verified outcomes of modes, from the records of existing runs. Pure."""

from collections.abc import Iterable, Mapping

from schemas.job import Task
from schemas.record import JobRecord, Outcome

# The latest outcome by mode, workload and task.
VerifiedOutcomes = Mapping[str, Mapping[str, Mapping[Task, Outcome]]]


def find_verified_outcomes(records: Iterable[JobRecord]) -> VerifiedOutcomes:
    """Find the outcome of each mode on each workload and task, from records with the newest first.

    A correct result with a doubtful time counts as `measured`.
    """
    found: dict[str, dict[str, dict[Task, Outcome]]] = {}
    for record in records:
        cell, outcome = record.spec.cell, record.outcome
        # A job that was stopped, skipped or lost says nothing about its mode.
        if outcome in ("skipped", "interrupted", "orchestrator-lost"):
            continue
        right = record.report is not None and not record.report.verification.reason
        tasks = found.setdefault(f"{cell.framework}:{cell.mode}", {}).setdefault(cell.workload, {})
        tasks.setdefault(cell.task, "measured" if right else outcome)
    return found
