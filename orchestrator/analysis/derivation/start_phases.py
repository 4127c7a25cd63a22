"""The cost of a process's start, from its phases: until the model is there, and from there to the first result."""

from collections.abc import Sequence

from schemas.event import PhaseName, Report

BEFORE_MODEL: tuple[PhaseName, ...] = ("import", "initialise", "build")
BEFORE_FIRST_RESULT: tuple[PhaseName, ...] = ("load", "trace", "compile", "first_call")


def first_result_ns(report: Report) -> int:
    """Return the time from the finished model to its first result: tracing or compiling, and the first call."""
    return sum_phases_ns(report, BEFORE_FIRST_RESULT)


def compute_busy_share(report: Report) -> float:
    """Return the share of the warm-up in which the process used a core; 1 if it is unknown."""
    wall_ns = sum_phases_ns(report, ("warm_up",))
    return sum_least_phases_ns(report, ("warm_up",)) / wall_ns if wall_ns else 1.0


def sum_least_phases_ns(report: Report, names: Sequence[PhaseName]) -> int:
    """Return the total time of these phases less the time in which the process used no core or its main thread waited.

    With several threads, CPU time alone would not show that the main one waited.
    """
    return sum(
        max(0, min(cost.cpu_ns, cost.wall_ns - (cost.waiting_ns or 0) - (cost.io_ns or 0)))
        for cost in report.phases
        if cost.name in names
    )


def sum_phases_ns(report: Report, names: Sequence[PhaseName]) -> int:
    """Return the total time of these phases."""
    return sum(cost.wall_ns for cost in report.phases if cost.name in names)
