"""Sums that must add up in a report, whatever was measured. Pure.

The parent has a clock of its own, sees when phases begin, and knows the kernel's account of the process. A report that
contradicts these was not made by the worker as it is.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from orchestrator.execution.stops import TIMED_PHASES
from orchestrator.execution.supervisor import Ending
from schemas.event import Phase, PhaseName, Report
from schemas.job import JobSpec

# In 3,050 honest records the samples had at most 1.005 times the CPU time that their cores could give.
MAX_CPU_SHARE: Final = 1.05

# The least amount by which two accounts of one time must differ to contradict each other. The parent may be late with
# one reading, and the kernel counts CPU time in ticks.
CPU_SLACK_NS: Final = 30_000_000
CLOCK_SLACK_NS: Final = 150_000_000
ACCOUNT_SLACK_NS: Final = 200_000_000

# The part of a time by which the parent's account of it may be longer.
SPARE_PART: Final = 0.25

# The worker's own phases, which it does not announce.
UNANNOUNCED: Final[frozenset[PhaseName]] = frozenset({"start", "ledger"})


def describe_contradiction(spec: JobSpec, ending: Ending, report: Report) -> str:
    """Return which sum of a report does not add up; "" if all do. What was not observed is not judged."""
    laws: Sequence[Callable[[JobSpec, Ending, Report], str]] = (
        describe_samples_cpu,
        describe_phases,
        describe_clock,
        describe_account,
    )
    return next(filter(None, (law(spec, ending, report) for law in laws)), "")


def describe_samples_cpu(spec: JobSpec, _: Ending, report: Report) -> str:
    """Return that samples used more CPU time than their cores have."""
    used, sampled, cores = sum(report.noise.cpu_ns), sum(report.samples_ns), len(spec.cpus)
    if not cores or used <= MAX_CPU_SHARE * cores * sampled + CPU_SLACK_NS:
        return ""
    return (
        f"its samples took {sampled / 1e6:.0f} ms and used {used / 1e6:.0f} ms of CPU time, more than "
        f"{cores} core{'s' if cores > 1 else ''} can give"
    )


def describe_phases(_: JobSpec, ending: Ending, report: Report) -> str:
    """Return that a report has other phases than those that were announced."""
    announced = {event.name for event in ending.events if isinstance(event, Phase)}
    reported = {cost.name for cost in report.phases} - UNANNOUNCED
    if not ending.arrivals_ns or announced == reported:
        return ""
    return f"it reports the phases {join_names(reported)}, but it began {join_names(announced)}"


def describe_clock(_: JobSpec, ending: Ending, report: Report) -> str:
    """Return that the phases in which calls are timed took longer by the parent's clock."""
    if not ending.arrivals_ns:
        return ""
    begun = zip(ending.events, ending.arrivals_ns, strict=True)
    seen_ns = sum(
        end - start
        for (event, start), (_, end) in pairwise(begun)
        if isinstance(event, Phase) and event.name in TIMED_PHASES
    )
    told_ns = sum(cost.wall_ns for cost in report.phases if cost.name in TIMED_PHASES | {"ledger"})
    if seen_ns <= (1 + SPARE_PART) * told_ns + CLOCK_SLACK_NS:
        return ""
    return (
        f"the phases in which its calls were timed took {seen_ns / 1e6:.0f} ms by the clock of its parent, and "
        f"{told_ns / 1e6:.0f} ms by its own"
    )


def describe_account(spec: JobSpec, ending: Ending, report: Report) -> str:
    """Return that the process used more CPU time by the kernel's account than it reports.

    Between two phases nothing is counted, so whatever its cores can give in that time is allowed.
    """
    told_ns, counted_ns = sum(cost.cpu_ns for cost in report.phases), sum(cost.wall_ns for cost in report.phases)
    if ending.cpu_ns is None or not spec.cpus:
        return ""
    between_ns = max(0, ending.wall_ns - counted_ns) * len(spec.cpus)
    if ending.cpu_ns <= (1 + SPARE_PART) * told_ns + ACCOUNT_SLACK_NS + between_ns:
        return ""
    seen, told = ending.cpu_ns / 1e6, told_ns / 1e6
    return f"it used {seen:.0f} ms of CPU time by the kernel's account, and {told:.0f} ms by its own"


def join_names(names: set[PhaseName]) -> str:
    """Return names of phases as words."""
    return ", ".join(sorted(name.replace("_", " ") for name in names)) or "none"
