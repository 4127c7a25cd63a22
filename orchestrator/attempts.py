"""Of several attempts at one job, the last is the one that counts. Pure."""

from collections.abc import Iterable, Sequence

from schemas.record import JobRecord


def last_attempts(records: Iterable[JobRecord]) -> list[JobRecord]:
    """One record for each job, in the order in which the jobs were begun."""
    latest: dict[tuple[int, str], JobRecord] = {}
    for record in records:
        job = (record.spec.block, record.spec.cell.id)
        if job not in latest or latest[job].spec.attempt <= record.spec.attempt:
            latest[job] = record
    return list(latest.values())


def in_turn(records: Iterable[JobRecord]) -> list[JobRecord]:
    """Records in the order of their blocks, positions and attempts."""
    return sorted(records, key=lambda record: (record.spec.block, record.spec.position, record.spec.attempt))


def following(attempts: Sequence[JobRecord]) -> int:
    """The number of the attempt at a job after these, of which some before them may be lost."""
    return max((record.spec.attempt for record in attempts), default=0) + 1
