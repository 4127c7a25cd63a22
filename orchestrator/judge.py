"""What a job's ending means: exactly one outcome, a reason in words, and what to do about it. Pure."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.hunger import Cause
from orchestrator.supervise import Ending
from schemas.event import KEPT, LINEAR, Ceiling, Failure, Hello, Phase, PhaseName, Report
from schemas.job import JobSpec
from schemas.limits import Limits
from schemas.record import ExportRecord, JobRecord, Outcome, Outside

ADVICE: dict[Outcome, str] = {
    "measured": "",
    "wrong": "its time is struck out and not ranked; compare its implementation with the reference side by side",
    "unfair": "another library or variable overrides the setting; remove it, or measure in the `defaults` track",
    "implausible": "its calls do not do the work they claim: not waited for, compiled away, or kept from before",
    "recompiled": "give it inputs of the shapes and types that it was compiled for",
    "nonlinear": "something is done once for all calls, or is still running when the clock stops",
    "overhead-dominated": "make the batch or the workload larger",
    "unsupported": "leave this cell out, or do what its reason names",
    "raised": "the traceback is in the job's log",
    "timeout": "allow more with --deadline or [limits.phases], or make the workload smaller",
    "killed": "after a crash the job's log may say more, after SIGKILL the system's log",
    "out-of-memory": "make the batch or the workload smaller, or free memory",
    "limit-reached": "the job's log may say why; if it needs more, allow more under [limits] in the sweep file",
    "garbled": "something in the worker writes where only events belong; the job's log may say what",
    "no-report": "the job's log may say why it left early",
    "skipped": "a new sweep measures it again",
    "interrupted": "go on with `resume`",
    "orchestrator-lost": "nothing: `resume` has run it again",
}

FINAL: frozenset[Outcome] = frozenset(
    {"wrong", "unfair", "unsupported", "implausible", "recompiled", "overhead-dominated", "skipped"}
)
"""Outcomes that another process would only repeat, or that its user wanted: the cell is not run again in this sweep."""

ROOF_MARGIN = 1.25
LEAST_NET = 5

CRASHES = frozenset(
    {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS}
)
"""Signals that a process brings upon itself, and would again. Any other was sent by somebody, who may not again."""

REDONE: frozenset[Outcome] = frozenset({"interrupted", "orchestrator-lost"})
"""Outcomes that say nothing of the cell: `resume` runs such a job again."""

TRIES = 2
"""A cell that has failed so often in any other way is not run again either. Nonlinearity is one of these: a single
finding may be noise, and the next process looks again."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The outcome of one job."""

    outcome: Outcome
    reason: str = ""

    @property
    def advice(self) -> str:
        """What to do about it, in one clause."""
        return ADVICE[self.outcome]


def judge(spec: JobSpec, ending: Ending, most: Ceiling | None = None) -> Judgement:
    """Tell the outcomes apart, the parent's own acts first: what it did to the job explains what the job said.

    Before them comes what the kernel did: if it ended one of the job's processes for want of memory, the others may
    have failed, hung or even gone on for that. But a job that was interrupted is run again.

    `most` is the most that any process of the same dtype and threads has been seen to do.
    """
    phase = last_phase(ending)
    during = f" during {phase.replace('_', ' ')}" if phase else " before its first phase"
    if ending.group.kills and ending.how not in ("interrupted", "skipped"):
        ended = f"the kernel ended one of its processes for want of memory{during}"
        return Judgement("out-of-memory", ended + under(spec.limits))
    if ending.how != "ended":
        return of_parent(spec, ending, during)
    last = ending.events[-1] if ending.events else None
    if isinstance(last, Failure):
        return of_failure(last, spec.limits)
    if isinstance(last, Report) and not isinstance(ending.events[0], Hello):
        return Judgement("garbled", "the worker reported before it had said hello")
    if isinstance(last, Report):
        return of_report(last, most or last.ceiling)
    if ending.status == -signal.SIGKILL:
        return of_kill(ending.hunger, during)
    if ending.status < 0:
        return Judgement("killed", f"{signal_name(-ending.status)} ended it{during}{under(spec.limits)}")
    return Judgement(
        "no-report", f"it left with status {ending.status}{during} and said nothing more{under(spec.limits)}"
    )


def of_failure(failure: Failure, limits: Limits) -> Judgement:
    """What a worker says of itself. With too little memory a framework may raise whatever it likes."""
    place = f" ({failure.where})" if failure.where else ""
    limit = "" if failure.outcome == "unsupported" else under(limits)
    return Judgement(failure.outcome, f"{failure.reason}{place}{limit}")


def of_parent(spec: JobSpec, ending: Ending, during: str) -> Judgement:
    """Why the parent ended it: this explains whatever else there is."""
    assert ending.how != "ended"
    if ending.how == "timeout":
        return Judgement("timeout", f"{ending.reason or f'no result within {spec.deadline_s:g} s'}; it ended{during}")
    if ending.how == "limit":
        return Judgement("limit-reached", f"{ending.reason}; it ended{during}")
    return Judgement(ending.how, ending.reason)


def of_kill(hunger: Cause, during: str) -> Judgement:
    """A SIGKILL that did not come from us: the kernel for want of memory, as surely as that is known, or somebody."""
    match hunger:
        case "sure":
            return Judgement("out-of-memory", f"the kernel ended it{during}: its control group ran out of memory")
        case "probable":
            return Judgement(
                "out-of-memory",
                f"probably the kernel ended it{during}: memory ran out, and it held much of what was left",
            )
        case "killed meanwhile":
            said = "; the kernel killed something for memory meanwhile, but this job held little"
        case _:
            said = "; nobody here sent it, and the kernel counted no lack of memory"
    return Judgement("killed", f"SIGKILL ended it{during}{said}")


def under(limits: Limits) -> str:
    """That the user's own limit of memory may be why; empty if there is none."""
    if limits.memory is None:
        return ""
    shift, unit = (20, "MiB") if limits.memory % (1 << 30) else (30, "GiB")
    return f", under the limit of {limits.memory / (1 << shift):g} {unit}"


def outside(ending: Ending, started: str, load_before: float) -> Outside:
    """The job as it was seen from here; it began at this time, under this load."""
    return Outside(
        started=started,
        spawn_to_end_ns=ending.wall_ns,
        exit_status=ending.status,
        last_phase=last_phase(ending),
        load_before=load_before,
        looks=ending.seen.looks,
        resident_peak_bytes=ending.seen.peak_bytes,
        resident_last_bytes=ending.seen.last_bytes,
        memory_limit=ending.memory,
        control_group=ending.group.version,
        group_peak_bytes=ending.group.peak_bytes,
        group_kills=ending.group.kills,
        group_refusals=ending.group.refusals,
    )


def transient(record: JobRecord | ExportRecord) -> bool:
    """Whether somebody ended the job: another process would not simply repeat it."""
    status = None if record.outside is None else record.outside.exit_status
    return record.outcome == "killed" and status is not None and -status not in CRASHES


def once_more(attempts: Sequence[JobRecord]) -> bool:
    """Whether a job should be run again after these attempts: if it was lost, or once if somebody killed it."""
    last = attempts[-1]
    return last.outcome in REDONE or (transient(last) and sum(map(transient, attempts)) == 1)


def of_report(report: Report, most: Ceiling) -> Judgement:
    """A report counts if its settings were honoured, its results are right, and its time is that of its work."""
    ignored = [setting for setting in report.settings if not setting.honoured]
    if ignored:
        first = ignored[0]
        return Judgement("unfair", f"{first.name}: asked for {first.asked}, got {first.got or 'nothing'}")
    if report.verification.reason:
        return Judgement("wrong", report.verification.reason)
    if report.compilations:
        return Judgement("recompiled", f"it was traced or compiled {report.compilations} times while it was timed")
    if reason := beyond(report, most) or kept(report):
        return Judgement("implausible", reason)
    linearity, net_ns = report.overhead.linearity, min(report.samples_ns) / report.calls - report.overhead.null_ns
    if linearity is not None and not LINEAR[0] <= linearity <= LINEAR[1]:
        return Judgement("nonlinear", f"twice the calls took {linearity:.2f} times as long")
    if net_ns < LEAST_NET * report.overhead.null_ns:
        return Judgement(
            "overhead-dominated",
            f"a call takes {net_ns:.0f} ns, the timing loop itself {report.overhead.null_ns:.0f} ns",
        )
    return Judgement("measured")


def beyond(report: Report, most: Ceiling) -> str:
    """Why a time is too short for the work, by the roofline; empty if it is not."""
    seconds = min(report.samples_ns) / report.calls / 1e9
    for done, limit, what in (
        (report.work.flops, most.flops_per_s, "operations"),
        (report.work.bytes, most.bytes_per_s, "bytes"),
    ):
        if limit > 0 and done / seconds > ROOF_MARGIN * limit:
            return f"{done / seconds:.2g} {what} a second, where at most {limit:.2g} were ever seen here"
    return ""


def kept(report: Report) -> str:
    """Why it seems that timed calls were given what earlier ones had computed; empty if it does not."""
    if report.unseen is None or report.unseen <= KEPT:
        return ""
    return (
        f"on new inputs a call took {report.unseen:.3g} times as long: results are kept from call to call, or inputs "
        "decide the work, which reference.py has to say then (UNEVEN = True)"
    )


def higher(one: Ceiling | None, other: Ceiling) -> Ceiling:
    """The higher of two ceilings in each respect."""
    if one is None:
        return other
    return Ceiling(
        flops_per_s=max(one.flops_per_s, other.flops_per_s), bytes_per_s=max(one.bytes_per_s, other.bytes_per_s)
    )


def signal_name(number: int) -> str:
    """`SIGKILL`, or its number if it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def last_phase(ending: Ending) -> PhaseName | None:
    """The phase that was open last."""
    names = [event.name for event in ending.events if isinstance(event, Phase)]
    return names[-1] if names else None


def report_of(ending: Ending) -> Report | None:
    """The report, if the job came to one."""
    last = ending.events[-1] if ending.events else None
    return last if isinstance(last, Report) else None
