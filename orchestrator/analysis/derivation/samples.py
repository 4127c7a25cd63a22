"""The figures of one process, each from the raw samples and laps of its report."""

import functools
import math
import statistics
from array import array
from collections.abc import Sequence

from orchestrator.analysis.derivation.disturbance import (
    bound_floor_ns,
    count_cores,
    find_disturbed_samples,
    find_undisturbed_samples,
)
from orchestrator.analysis.derivation.steady_state import SteadyState, classify_trace
from schemas.event import Report
from schemas.record import JobRecord


@functools.lru_cache(maxsize=1000)
def classify_laps(laps: tuple[tuple[int, int], ...]) -> SteadyState:
    """Classify the warm-up of a process, and find the lap from which its calls were steady; cached, because slow."""
    return classify_trace([took / calls for calls, took in laps])


def compute_floor_ns(report: Report) -> float:
    """Return the nanoseconds per call of the fastest sample: the estimator that varies least between processes."""
    return min(report.samples_ns) / report.calls


def compute_least_floor_ns(record: JobRecord, report: Report) -> float:
    """Return the least nanoseconds per call that a process's disturbances leave possible for its floor."""
    return bound_floor_ns(record) / report.calls


def count_undisturbed_samples(record: JobRecord, report: Report) -> int:
    """Return the number of undisturbed samples of a process."""
    return find_disturbed_samples(report, count_cores(record)).count(False)


def sort_log_samples(report: Report) -> Sequence[float]:
    """Return the log seconds per call of all samples, ascending."""
    return array("d", (math.log(sample / report.calls / 1e9) for sample in sorted(report.samples_ns)))


def compute_typical_ns(record: JobRecord) -> float:
    """Return the nanoseconds per call of the process's median undisturbed sample."""
    report = record.report
    assert report is not None
    quiet = find_undisturbed_samples(report, count_cores(record))
    return statistics.median(report.samples_ns[index] for index in quiet) / report.calls
