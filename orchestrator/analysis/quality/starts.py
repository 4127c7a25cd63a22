"""Forked processes of a cell against its fresh ones: a mode that a fork makes faster or slower is not forked. Pure."""

from collections.abc import Sequence

from orchestrator.analysis.derivation.process import Figures, Job, derive_processes

# The gap between the two kinds of processes that counts, as a share of the time per call.
START_MARGIN = 0.015

# With fewer processes of a kind, a gap arises by chance.
FEWEST_PROCESSES = 2


def differ_by_start(jobs: Sequence[Job]) -> bool:
    """Return whether all forked processes of a cell are faster than all its fresh ones, or all slower.

    The gap between the two must exceed the margin whatever disturbances can have cost.
    """
    forked, fresh = list[Figures](), list[Figures]()
    for process in derive_processes(jobs):
        if process.outcome == "measured" and process.figures is not None:
            (forked if process.figures.forked else fresh).append(process.figures)
    if min(len(forked), len(fresh)) < FEWEST_PROCESSES:
        return False
    return has_gap(forked, fresh) or has_gap(fresh, forked)


def has_gap(below: Sequence[Figures], above: Sequence[Figures]) -> bool:
    """Return whether all floors of one kind lie below all others by more than the margin."""
    highest = (1 + START_MARGIN) * max(each.floor_ns for each in below)
    return highest < min(min(each.floor_ns, each.least_floor_ns) for each in above)


def describe_starts(jobs: Sequence[Job]) -> list[str]:
    """Return what a reader must know of how a cell's processes started, in sentences; empty if nothing."""
    processes = derive_processes(jobs)
    if differ_by_start(processes):
        return ["Forked processes took another time per call than fresh ones, so only fresh ones count."]
    found = [each.obstacle for each in processes if each.start == "template" and each.started is not None]
    # A template that ended once is in the record of that job; what always holds is a property of the framework.
    return [f"Its processes all start fresh, because {found[0]}."] if found and all(found) else []
