"""What a job's ending means: exactly one outcome, a reason in words, and what to do about it. Pure."""

import signal
from dataclasses import dataclass

from orchestrator.supervise import Ending
from schemas.event import Failure, Phase, PhaseName, Report
from schemas.job import JobSpec
from schemas.record import Outcome

ADVICE: dict[Outcome, str] = {
    "measured": "",
    "wrong": "its time is struck out and not ranked; compare its implementation with the reference side by side",
    "unfair": "another library or variable overrides the setting; remove it, or measure in the `defaults` track",
    "implausible": "",
    "unsupported": "",
    "raised": "the traceback is in the job's log",
    "timeout": "allow more with --deadline, or make the workload smaller",
    "killed": "look at the job's log and at the system's",
    "out-of-memory": "make the batch or the workload smaller, or free memory",
    "garbled": "something in the worker writes where only events belong; the job's log may say what",
    "no-report": "the job's log may say why it left early",
    "interrupted": "",
}

FINAL: frozenset[Outcome] = frozenset({"wrong", "unfair", "unsupported"})
"""Outcomes that another process would only repeat: the cell is not run again in this sweep."""

TRIES = 2
"""A cell that has failed so often in any other way is not run again either."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The outcome of one job."""

    outcome: Outcome
    reason: str = ""

    @property
    def advice(self) -> str:
        """What to do about it, in one clause."""
        return ADVICE[self.outcome]


def judge(spec: JobSpec, ending: Ending) -> Judgement:
    """Tell the outcomes apart, the parent's own acts first: what it did to the job explains what the job said."""
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
    if isinstance(last, Report):
        return of_report(last)
    if ending.status < 0:
        return Judgement("killed", f"{signal.Signals(-ending.status).name} ended it{during}")
    return Judgement("no-report", f"it left with status {ending.status}{during} and said nothing more")


def of_report(report: Report) -> Judgement:
    """A report counts if its settings were honoured and its results are right."""
    ignored = [setting for setting in report.settings if not setting.honoured]
    if ignored:
        first = ignored[0]
        return Judgement("unfair", f"{first.name}: asked for {first.asked}, got {first.got or 'nothing'}")
    if report.verification.reason:
        return Judgement("wrong", report.verification.reason)
    return Judgement("measured")


def last_phase(ending: Ending) -> PhaseName | None:
    """The phase that was open last."""
    names = [event.name for event in ending.events if isinstance(event, Phase)]
    return names[-1] if names else None


def report_of(ending: Ending) -> Report | None:
    """The report, if the job came to one."""
    last = ending.events[-1] if ending.events else None
    return last if isinstance(last, Report) else None
