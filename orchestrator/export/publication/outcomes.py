"""The outcome of each job: it must be the one of its report, or fit how its process ended. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from orchestrator.execution.classify import TIMED_OUTCOMES, classify_report
from orchestrator.execution.stops import TIMED_PHASES, sum_stopped_ns
from orchestrator.records.store import job_name
from schemas.event import Ceiling, Report
from schemas.record import JobObservation, JobRecord, Outcome

# Without peak rates, which a publication does not have, no time is too short for its work.
NO_PEAKS: Final = Ceiling(flops_per_s=0, bytes_per_s=0)
# Outcomes of a job that its parent ended, although its report had come. A record does not show whether that is so.
ENDED_BY_PARENT: Final[frozenset[Outcome]] = frozenset(
    {"interrupted", "timeout", "limit-reached", "skipped", "garbled"}
)


def find_false_outcomes(records: Sequence[JobRecord]) -> Iterator[str]:
    """Yield a sentence for each record whose outcome contradicts its report, or the end of its process."""
    for record in records:
        if record.report is not None:
            yield from find_contradicted_report(record, record.report)
        elif record.outside is not None:
            yield from find_unlikely_end(record, record.outside)


def find_contradicted_report(record: JobRecord, report: Report) -> Iterator[str]:
    """Yield a sentence if a record counts as measured and its report bars it, or the other way round."""
    due = classify_report(report, NO_PEAKS).outcome
    if record.outcome == due or (record.outcome != "measured" and is_barred_otherwise(record, report, due)):
        return
    yield f"{job_name(record.spec)} counts as {record.outcome}, and its report says {due}"


def is_barred_otherwise(record: JobRecord, report: Report, due: Outcome) -> bool:
    """Return whether something beside the report may bar a job: its machine, its parent or its kernel."""
    outside = record.outside
    match record.outcome:
        case "implausible":
            # Peak rates of earlier runs and the clock of the parent are not published.
            return due in TIMED_OUTCOMES
        case "stopped":
            stopped_ns = sum_stopped_ns(report.phases, TIMED_PHASES)
            return due in TIMED_OUTCOMES and bool(stopped_ns or (outside and outside.suspended_ns))
        case "out-of-memory":
            return bool(outside and outside.group_kills)
        case _:
            return record.outcome in ENDED_BY_PARENT


def find_unlikely_end(record: JobRecord, outside: JobObservation) -> Iterator[str]:
    """Yield a sentence if a job without a report did not end as its outcome says."""
    status, name = outside.exit_status, job_name(record.spec)
    if status == 0 and outside.last_phase == "report" and record.outcome != "garbled":
        yield f"{name} was {record.outcome}, although its process ended by itself after its last phase"
    elif status is not None and record.outcome == "killed" and status >= 0:
        yield f"{name} was killed, although its process ended by itself with status {status}"
    elif status is not None and record.outcome == "no-report" and status < 0:
        yield f"{name} sent no report, although a signal ended its process"
