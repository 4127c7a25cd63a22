"""The outcomes of a job: advice for each, which are final, and which are retried."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.record import JobRecord, Outcome

ADVICE: dict[Outcome, str] = {
    "measured": "",
    "exported": "",
    "profiled": "",
    "wrong": "its time is struck out and not ranked; compare its implementation with the reference",
    "unfair": "another library or variable overrides the setting; remove it, or measure in the `defaults` track",
    "implausible": "its calls skip work: results are cached, compiled away, or not waited for",
    "recompiled": "give it inputs of the shapes and types that it was compiled for",
    "nonlinear": "some work is done once for all calls, or is still running when the clock stops",
    "overhead-dominated": "make the batch or the workload larger",
    "unsupported": "leave this cell out, or follow its reason",
    "raised": "the traceback is in the job's log",
    "timeout": "allow more with --deadline or [limits.phases], or make the workload smaller",
    "killed": "after a crash read the job's log, after SIGKILL the system's log",
    "stopped": "nothing to do: it is run again once; find out what stops the job if that is too",
    "out-of-memory": "make the batch or the workload smaller, or free memory",
    "limit-reached": "the job's log may say why; if it needs more, allow more under [limits] in the sweep file",
    "garbled": "something in the worker writes to the channel for events; the job's log may say what",
    "no-report": "the job's log may say why it left early",
    "skipped": "a new sweep measures it again",
    "interrupted": "continue with `resume`",
    "orchestrator-lost": "nothing to do: `resume` has run it again",
}


# Outcomes that another process would only repeat, or that the user asked for: the sweep does not run the cell again.
FINAL_OUTCOMES: frozenset[Outcome] = frozenset(
    {"wrong", "unfair", "unsupported", "implausible", "nonlinear", "recompiled", "overhead-dominated", "skipped"}
)


# Outcomes that rest on measured times, which noise can change. They need a second process that says the same.
ACCUSATIONS: frozenset[Outcome] = frozenset({"implausible", "nonlinear"})


# Signals that a process raises itself and would raise again. Any other came from outside and may not come again.
CRASH_SIGNALS = frozenset(
    {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS}
)


# Outcomes that tell nothing about the cell: `resume` runs such a job again.
RERUN_OUTCOMES: frozenset[Outcome] = frozenset({"interrupted", "orchestrator-lost"})


# The number of other failures after which a cell is not run again.
MAX_FAILURES = 2


@dataclass(frozen=True, slots=True)
class Classification:
    """The outcome of one job."""

    outcome: Outcome
    reason: str = ""

    @property
    def advice(self) -> str:
        """The remedy for this outcome, in one clause."""
        return ADVICE[self.outcome]


def is_transient(record: JobRecord) -> bool:
    """Return whether a signal from outside ended or stopped the job, which another process would not repeat."""
    if record.outcome == "stopped":
        return True
    status = None if record.outside is None else record.outside.exit_status
    return record.outcome == "killed" and status is not None and -status not in CRASH_SIGNALS


def should_retry(attempts: Sequence[JobRecord]) -> bool:
    """Return whether to retry a job after these attempts.

    A lost job is always run again. A job that was killed or stopped from outside is run again once, and so is one that
    is accused by its own times alone: if the second process is measured, its measurement counts.
    """
    last = attempts[-1]
    return (
        last.outcome in RERUN_OUTCOMES
        or (is_transient(last) and sum(map(is_transient, attempts)) == 1)
        or (last.outcome in ACCUSATIONS and sum(each.outcome in ACCUSATIONS for each in attempts) == 1)
    )
