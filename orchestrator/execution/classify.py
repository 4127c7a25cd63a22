"""Classification of a job's ending: exactly one outcome, a reason in words, and advice. Pure."""

import signal
from typing import Final

from orchestrator.execution.conservation import describe_contradiction
from orchestrator.execution.stops import describe_lost_times
from orchestrator.execution.supervisor import Ending
from orchestrator.processes.oom import OomCause
from orchestrator.processes.signals import format_signal
from orchestrator.records.outcomes import Classification
from schemas.event import (
    LINEARITY_RANGE,
    MAX_REST_SHARE,
    MAX_UNSEEN_RATIO,
    REST_NS,
    Breach,
    Ceiling,
    Exported,
    Failure,
    Hello,
    Phase,
    PhaseName,
    Profiled,
    Report,
)
from schemas.job import JobSpec
from schemas.limits import Limits
from schemas.record import SUCCESSES, JobObservation, Result

# The ceilings are only the highest rates measured, so a result may exceed them a little.
ROOF_MARGIN = 1.25
# Outcomes that rest on times; the others hold whatever interrupted the worker.
TIMED_OUTCOMES: Final = frozenset({"measured", "implausible", "nonlinear", "overhead-dominated"})
# A call must take at least this many times as long as the empty timing loop.
MIN_NET_RATIO = 5


def classify_ending(spec: JobSpec, ending: Ending, most: Ceiling | None = None) -> Classification:
    """Classify a job's ending. The parent's own actions explain the job's events, so they come first.

    The kernel's come before these: if it killed one of the job's processes because memory ran out, the others may have
    failed, hung or continued because of that. But an interrupted job is run again.

    `most` holds the highest rates that any process has reached on this machine with the same dtype and threads.
    """
    phase = find_last_phase(ending)
    during = f" during {phase.replace('_', ' ')}" if phase else " before its first phase"
    if ending.group.kills and ending.how not in ("interrupted", "skipped"):
        ended = f"the kernel killed one of its processes because memory ran out{during}"
        return Classification("out-of-memory", ended + describe_memory_limit(spec.limits))
    if ending.how != "ended":
        return classify_parent_end(spec, ending, during)
    last = ending.events[-1] if ending.events else None
    if isinstance(last, Failure):
        return classify_failure(last, spec.limits)
    if isinstance(last, Report | Exported | Profiled):
        return classify_result(spec, ending, last, most)
    return classify_silent_end(spec, ending, during)


def classify_result(spec: JobSpec, ending: Ending, result: Result, most: Ceiling | None) -> Classification:
    """Classify a job that sent a result. Only a report can be found wrong afterwards."""
    _, kind = SUCCESSES[spec.purpose.kind]
    if not isinstance(ending.events[0], Hello):
        return Classification("garbled", "the worker sent its result before its hello event")
    if any(isinstance(event, Failure | Report | Exported | Profiled) for event in ending.events[:-1]):
        return Classification("garbled", "the worker sent more than one result")
    if result.kind != kind:
        return Classification("garbled", f"the worker sent the event {result.kind!r} where {kind!r} was due")
    if not isinstance(result, Report):
        return Classification(result.kind)
    found = classify_report(result, most or result.ceiling)
    if found.outcome in TIMED_OUTCOMES and (reason := describe_contradiction(spec, ending, result)):
        found = Classification("implausible", reason)
    if found.outcome in TIMED_OUTCOMES and (lost := describe_lost_times(ending, result)):
        return Classification("stopped", lost)
    return found


def classify_silent_end(spec: JobSpec, ending: Ending, during: str) -> Classification:
    """Classify a job that ended by itself, or by a foreign signal, without saying how."""
    limit = describe_memory_limit(spec.limits)
    # The kernel sends this signal when memory runs out, so its cause has to be looked up.
    if ending.status == -signal.SIGKILL:
        return classify_kill(ending.oom, during)
    if ending.status < 0:
        return Classification("killed", f"{format_signal(-ending.status)} ended it{during}{limit}")
    return Classification("no-report", f"it exited with status {ending.status}{during} without a report{limit}")


def classify_failure(failure: Failure, limits: Limits) -> Classification:
    """Classify a failure that the worker reported. With too little memory a framework may raise any exception."""
    place = f" ({failure.where})" if failure.where else ""
    limit = "" if failure.outcome == "unsupported" else describe_memory_limit(limits)
    return Classification(failure.outcome, f"{failure.reason}{place}{limit}")


def classify_parent_end(spec: JobSpec, ending: Ending, during: str) -> Classification:
    """Classify a job that the parent ended."""
    assert ending.how != "ended"
    if ending.how == "timeout":
        return Classification(
            "timeout", f"{ending.reason or f'no result within {spec.deadline_s:g} s'}; it ended{during}"
        )
    if ending.how == "limit":
        return Classification("limit-reached", f"{ending.reason}; it ended{during}")
    return Classification(ending.how, ending.reason)


def classify_kill(cause: OomCause, during: str) -> Classification:
    """Classify a SIGKILL that this program did not send, by how surely the kernel sent it because memory ran out."""
    match cause:
        case "sure":
            return Classification("out-of-memory", f"the kernel killed it{during}: its control group ran out of memory")
        case "probable":
            return Classification(
                "out-of-memory",
                f"the kernel probably killed it{during}: memory ran out, and it held much of what was left",
            )
        case "killed meanwhile":
            said = "; memory ran out and the kernel killed a process meanwhile, but this job held little"
        case _:
            said = "; the signal came from outside, and the kernel counted no kill for memory"
    return Classification("killed", f"SIGKILL ended it{during}{said}")


def describe_memory_limit(limits: Limits) -> str:
    """Name the user's memory limit as a possible cause; return "" if there is none."""
    if limits.memory is None:
        return ""
    shift, unit = (20, "MiB") if limits.memory % (1 << 30) else (30, "GiB")
    return f", under the limit of {limits.memory / (1 << shift):g} {unit}"


def outside_from_ending(ending: Ending, started: str, load_before: float) -> JobObservation:
    """Return the parent's observations of a job that began at time `started` under load `load_before`."""
    return JobObservation(
        started=started,
        spawn_to_end_ns=ending.wall_ns,
        exit_status=ending.status,
        last_phase=find_last_phase(ending),
        load_before=load_before,
        obstacle=ending.obstacle,
        looks=ending.seen.looks,
        resident_peak_bytes=ending.seen.peak_bytes,
        resident_last_bytes=ending.seen.last_bytes,
        memory_limit=ending.memory,
        control_group=ending.group.version,
        group_peak_bytes=ending.group.peak_bytes,
        group_kills=ending.group.kills,
        group_refusals=ending.group.refusals,
        stopped_ns=sum(end - start for start, end in ending.stops),
        suspended_ns=ending.suspended_ns,
        cpu_ns=ending.cpu_ns,
    )


def classify_report(report: Report, most: Ceiling) -> Classification:
    """Classify a report: measured if the settings were honoured, the results are right and the time is plausible."""
    # Settings come first: another precision also fails verification, which would hide the cause.
    ignored = [setting for setting in report.settings if not setting.honoured]
    if ignored:
        first = ignored[0]
        return Classification("unfair", f"{first.name}: asked for {first.asked}, got {first.got or 'nothing'}")
    if report.verification.reason:
        return Classification("wrong", report.verification.reason)
    if report.compilations:
        return Classification("recompiled", f"it was traced or compiled {report.compilations} times while it was timed")
    if reason := describe_excess_rate(report, most) or describe_cached_results(report) or describe_work_at_rest(report):
        return Classification("implausible", reason)
    return classify_times(report)


def classify_times(report: Report) -> Classification:
    """Classify a report by how its samples grow with their calls, and by what the timing loop itself takes."""
    linearity, net_ns = report.overhead.linearity, min(report.samples_ns) / report.calls - report.overhead.null_ns
    if linearity is not None and not LINEARITY_RANGE[0] <= linearity <= LINEARITY_RANGE[1]:
        return Classification("nonlinear", f"twice the calls took {linearity:.2f} times as long")
    if net_ns < MIN_NET_RATIO * report.overhead.null_ns:
        return Classification(
            "overhead-dominated",
            f"a call takes {net_ns:.0f} ns, the timing loop itself {report.overhead.null_ns:.0f} ns",
        )
    return Classification("measured")


def describe_excess_rate(report: Report, most: Ceiling) -> str:
    """Return why a time is too short for the work, by the roofline; "" if it is not."""
    seconds = min(report.samples_ns) / report.calls / 1e9
    for done, limit, what in (
        (report.work.flops, most.flops_per_s, "operations"),
        (report.work.bytes, most.bytes_per_s, "bytes"),
    ):
        if limit > 0 and done / seconds > ROOF_MARGIN * limit:
            return f"{done / seconds:.2g} {what} per second, but the fastest ever measured here is {limit:.2g}"
    return ""


def describe_cached_results(report: Report) -> str:
    """Return why timed calls seem to reuse cached results; "" if they do not."""
    if report.unseen is None or report.unseen <= MAX_UNSEEN_RATIO:
        return ""
    return (
        f"on new inputs a call took {report.unseen:.3g} times as long: results are cached between calls, or the amount "
        "of work depends on the inputs; if it does, set UNEVEN = True in reference.py"
    )


def describe_work_at_rest(report: Report) -> str:
    """Return that calls leave work for after they have returned; "" if they do not, or nobody looked."""
    if report.rest_cpu_ns is None or report.rest_cpu_ns <= MAX_REST_SHARE * REST_NS:
        return ""
    used, rest = report.rest_cpu_ns / 1e6, REST_NS / 1e6
    return f"it used {used:.0f} ms of CPU time in the {rest:.0f} ms after the last sample: work goes on after its calls"


def find_last_phase(ending: Ending) -> PhaseName | None:
    """Return the last phase that began."""
    names = [event.name for event in ending.events if isinstance(event, Phase)]
    return names[-1] if names else None


def find_breach(ending: Ending) -> Breach:
    """Return the part of a workload that breaks its contract, if that is why the job failed."""
    last = ending.events[-1] if ending.events else None
    return last.breach if isinstance(last, Failure) and ending.how == "ended" else ""


def find_result(spec: JobSpec, ending: Ending) -> Result | None:
    """Return the result, if it is the job's last event and of the kind that was asked for."""
    last = ending.events[-1] if ending.events else None
    _, kind = SUCCESSES[spec.purpose.kind]
    return last if isinstance(last, Report | Exported | Profiled) and last.kind == kind else None
