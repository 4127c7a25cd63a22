"""The summary at the top of a job's record: what a person looks for first, in words and in numbers."""

from collections.abc import Iterator

from orchestrator.analysis.derivation.disturbance import find_own_flags
from orchestrator.analysis.derivation.memory import compute_memory_metrics
from orchestrator.analysis.derivation.start_phases import first_result_ns
from orchestrator.analysis.statistics.intervals import Interval, median_interval
from orchestrator.format import format_duration, format_size
from orchestrator.records.labels import format_title
from schemas.event import Report
from schemas.machine_type import identify_type
from schemas.record import JobRecord, JobSummary

# More digits than a measurement has, and few enough to be read.
DIGITS = 6


def add_summary(record: JobRecord) -> JobRecord:
    """Return a record with its summary, which reading a record removes."""
    return record.model_copy(update={"summary": summarise_record(record)})


def summarise_record(record: JobRecord) -> JobSummary:
    """Return the summary of a record, computed from its samples and its other fields."""
    cell = f"{record.spec.cell.label}, {format_title(record.spec.cell)}"
    machine = identify_type(record.host).label
    if record.report is None:
        return JobSummary(text=describe_outcome(record), cell=cell, machine_type=machine)
    found = summarise_report(record.report)
    # The flag CANARY needs the fastest canary of the whole run, which is not known yet.
    flags = tuple(sorted(find_own_flags(record, record.report)))
    samples = len(record.report.samples_ns)
    summary = JobSummary.model_validate(
        {"text": "", "cell": cell, "samples": samples, "flags": flags, "machine_type": machine} | found
    )
    said = "; ".join([*describe_figures(summary), *describe_flags(flags)])
    text = said if record.outcome == "measured" else f"{describe_outcome(record)} Does not count: {said}"
    return summary.model_copy(update={"text": text})


def summarise_report(report: Report) -> dict[str, float | None]:
    """Return the figures of one process by the names of the summary's fields."""
    times = [sample / report.calls for sample in report.samples_ns]
    median, memory = median_interval(times), compute_memory_metrics(report)
    low, high = find_known_ends(median)
    return {
        "fastest_ns": round_digits(min(times)),
        "median_ns": round_digits(median.estimate),
        "median_low_ns": low,
        "median_high_ns": high,
        "slowest_ns": round_digits(max(times)),
        "first_result_ns": None if report.forked else round_digits(first_result_ns(report)),
        "step_peak_bytes": memory.get("step_peak"),
        "footprint_bytes": memory.get("footprint"),
    }


def find_known_ends(interval: Interval) -> tuple[float | None, float | None]:
    """Return the ends of an interval of times, rounded; None for both if there are too few samples for any."""
    known = interval.low > 0 and interval.high < float("inf")
    return (round_digits(interval.low), round_digits(interval.high)) if known else (None, None)


def round_digits(value: float) -> float:
    """Round a number to the digits of a summary."""
    return float(f"{value:.{DIGITS}g}")


def describe_outcome(record: JobRecord) -> str:
    """Return the outcome of a job, with its reason, as one sentence."""
    return f"{record.outcome}: {record.reason}." if record.reason else f"{record.outcome}."


def describe_figures(summary: JobSummary) -> Iterator[str]:
    """Yield the times and the memory of a summary in words."""
    assert summary.fastest_ns is not None
    assert summary.median_ns is not None
    ends = ""
    if summary.median_low_ns is not None and summary.median_high_ns is not None:
        ends = f", {format_duration(summary.median_low_ns)} to {format_duration(summary.median_high_ns)}"
    median = f"median {format_duration(summary.median_ns)}{ends}"
    yield f"{format_duration(summary.fastest_ns)} per call ({median}, over {summary.samples} samples of one process)"
    if summary.first_result_ns is not None:
        yield f"first result after {format_duration(summary.first_result_ns)}"
    if summary.step_peak_bytes is not None and summary.footprint_bytes is not None:
        yield f"step peak {format_size(summary.step_peak_bytes)}, footprint {format_size(summary.footprint_bytes)}"


def describe_flags(flags: tuple[str, ...]) -> Iterator[str]:
    """Yield the disturbances of a job in words."""
    yield f"disturbed ({', '.join(flags)})" if flags else "undisturbed"
