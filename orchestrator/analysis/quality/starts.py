"""Forked processes of a cell against its fresh ones: a mode that a fork makes faster or slower is not forked. Pure."""

from collections.abc import Sequence

from orchestrator.analysis.quality.disturbance import bound_floor_ns
from schemas.record import JobRecord

# The gap between the two kinds of processes that counts, as a share of the time per call.
START_MARGIN = 0.015

# With fewer processes of a kind, a gap arises by chance.
FEWEST_PROCESSES = 2


def differ_by_start(records: Sequence[JobRecord]) -> bool:
    """Return whether all forked processes of a cell are faster than all its fresh ones, or all slower.

    The gap between the two must exceed the margin whatever disturbances can have cost.
    """
    forked, fresh = list[JobRecord](), list[JobRecord]()
    for record in records:
        if record.outcome == "measured" and record.report is not None:
            (forked if record.report.forked else fresh).append(record)
    if min(len(forked), len(fresh)) < FEWEST_PROCESSES:
        return False
    return has_gap(forked, fresh) or has_gap(fresh, forked)


def has_gap(below: Sequence[JobRecord], above: Sequence[JobRecord]) -> bool:
    """Return whether all floors of one kind lie below all others by more than the margin."""
    highest = (1 + START_MARGIN) * max(map(measure_floor_ns, below))
    # The least possible floors are slow to compute, and never above the measured ones.
    return highest < min(map(measure_floor_ns, above)) and highest < min(map(compute_least_ns, above))


def measure_floor_ns(record: JobRecord) -> float:
    """Return the nanoseconds per call of a process's fastest sample."""
    assert record.report is not None
    return min(record.report.samples_ns) / record.report.calls


def compute_least_ns(record: JobRecord) -> float:
    """Return the least nanoseconds per call that a process's disturbances leave possible."""
    assert record.report is not None
    return bound_floor_ns(record) / record.report.calls


def describe_starts(records: Sequence[JobRecord]) -> list[str]:
    """Return what a reader must know of how a cell's processes started, in sentences; empty if nothing."""
    if differ_by_start(records):
        return ["Forked processes took another time per call than fresh ones, so only fresh ones count."]
    due = [each for each in records if each.spec.start == "template" and each.outside is not None]
    found = [each.outside.obstacle for each in due if each.outside is not None]
    # A template that ended once is in the record of that job; what always holds is a property of the framework.
    return [f"Its processes all start fresh, because {found[0]}."] if found and all(found) else []
