"""Of several attempts at one job, the last is the one that counts. Pure."""

from collections.abc import Iterable

from schemas.record import JobRecord


def last_attempts(records: Iterable[JobRecord]) -> list[JobRecord]:
    """One record for each job, in the order in which the jobs were begun."""
    latest: dict[tuple[int, str], JobRecord] = {}
    for record in records:
        job = (record.spec.block, record.spec.cell.id)
        if job not in latest or latest[job].spec.attempt <= record.spec.attempt:
            latest[job] = record
    return list(latest.values())
