"""What a job's ending means: exactly one outcome, a reason in words, and what to do about it. Pure."""

import signal
from dataclasses import dataclass

from orchestrator.supervise import Ending
from schemas.event import LINEAR, Ceiling, Failure, Hello, Phase, PhaseName, Report
from schemas.job import JobSpec
from schemas.record import Outcome

ADVICE: dict[Outcome, str] = {
    "measured": "",
    "wrong": "its time is struck out and not ranked; compare its implementation with the reference side by side",
    "unfair": "another library or variable overrides the setting; remove it, or measure in the `defaults` track",
    "implausible": "its calls do not do the work they claim: not waited for, compiled away, or kept from before",
    "recompiled": "give it inputs of the shapes and types that it was compiled for",
    "nonlinear": "something is done once for all calls, or is still running when the clock stops",
    "overhead-dominated": "make the batch or the workload larger",
    "unsupported": "",
    "raised": "the traceback is in the job's log",
    "timeout": "allow more with --deadline, or make the workload smaller",
    "killed": "look at the job's log and at the system's",
    "out-of-memory": "make the batch or the workload smaller, or free memory",
    "garbled": "something in the worker writes where only events belong; the job's log may say what",
    "no-report": "the job's log may say why it left early",
    "interrupted": "",
}

FINAL: frozenset[Outcome] = frozenset(
    {"wrong", "unfair", "unsupported", "implausible", "recompiled", "overhead-dominated"}
)
"""Outcomes that another process would only repeat: the cell is not run again in this sweep."""

ROOF_MARGIN = 1.25
LEAST_NET = 5

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

    `most` is the most that any process of the same dtype and threads has been seen to do.
    """
    phase = last_phase(ending)
    during = f" during {phase.replace('_', ' ')}" if phase else " before its first phase"
    if ending.how == "interrupted":
        return Judgement("interrupted", ending.reason)
    if ending.how == "timeout":
        return Judgement("timeout", f"no result within {spec.deadline_s:g} s; it ended{during}")
    if ending.how == "garbled":
        return Judgement("garbled", ending.reason)
    last = ending.events[-1] if ending.events else None
    if isinstance(last, Failure):
        return Judgement(last.outcome, f"{last.reason} ({last.where})" if last.where else last.reason)
    if isinstance(last, Report) and not isinstance(ending.events[0], Hello):
        return Judgement("garbled", "the worker reported before it had said hello")
    if isinstance(last, Report):
        return of_report(last, most or last.ceiling)
    if ending.status < 0:
        return Judgement("killed", f"{signal_name(-ending.status)} ended it{during}")
    return Judgement("no-report", f"it left with status {ending.status}{during} and said nothing more")


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
    if reason := beyond(report, most):
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
