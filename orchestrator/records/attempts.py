"""Attempts at one job, of which only the last counts. Pure."""

from collections.abc import Iterable, Sequence

from schemas.record import JobRecord


def last_attempts(records: Iterable[JobRecord]) -> list[JobRecord]:
    """Keep the last attempt of each job, in the order in which the jobs began."""
    latest: dict[tuple[int, str], JobRecord] = {}
    for record in records:
        job = (record.spec.block, record.spec.cell.id)
        if job not in latest or latest[job].spec.attempt <= record.spec.attempt:
            latest[job] = record
    return list(latest.values())


def sort_records(records: Iterable[JobRecord]) -> list[JobRecord]:
    """Sort records by block, position and attempt."""
    return sorted(records, key=lambda record: (record.spec.block, record.spec.position, record.spec.attempt))


def next_attempt(attempts: Sequence[JobRecord]) -> int:
    """Return the number of the next attempt; earlier attempts may be missing from these."""
    return max((record.spec.attempt for record in attempts), default=0) + 1
