"""The scores of one process: floor, typical time and cost curve, from its raw samples."""

import functools
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial

from orchestrator.analysis.compare import Scores
from orchestrator.analysis.costs.cost_curve import CostCurve, estimate_start_cost, make_cost_curve
from orchestrator.analysis.quality.comparability import Sampling
from orchestrator.analysis.quality.disturbance import (
    bound_floor_ns,
    count_cores,
    find_disturbed_samples,
    find_undisturbed_samples,
)
from orchestrator.analysis.quality.starts import differ_by_start
from orchestrator.analysis.quality.steady_state import SteadyState, classify_trace
from schemas.event import Report
from schemas.record import JobRecord


def group_by_cell(records: Iterable[JobRecord]) -> dict[str, list[JobRecord]]:
    """Return the records that count by cell id, in their order: all but those of jobs that filled a cache."""
    found: defaultdict[str, list[JobRecord]] = defaultdict(list)
    for record in records:
        # A job in block 0 fills the cache, and so measures a cold one. If it fails, its failure counts for the cell.
        if record.spec.block > 0 or record.outcome != "measured":
            found[record.spec.cell.id].append(record)
    return dict(found)


def select_measured_jobs(records: Iterable[JobRecord]) -> list[JobRecord]:
    """Return the jobs of a cell with a measurement, without forked ones where a fork makes a difference."""
    measured = [record for record in records if record.outcome == "measured" and record.report is not None]
    only_fresh = differ_by_start(measured)
    return [record for record in measured if record.report and not (only_fresh and record.report.forked)]


def collect_reports(records: Iterable[JobRecord]) -> list[Report]:
    """Return the reports of the records that have one."""
    return [record.report for record in records if record.report is not None]


@functools.lru_cache(maxsize=10_000)
def classify_laps(laps: tuple[tuple[int, int], ...]) -> SteadyState:
    """Classify one warm-up trace; cached, because it is slow and needed again after each job."""
    return classify_trace([took / calls for calls, took in laps])


def map_counted_reports(records: Iterable[JobRecord]) -> dict[int, Report]:
    """Return the report of each block's process, for jobs that count."""
    return {record.spec.block: report for record, report in select_counted_jobs(records)}


def score_records(records: Iterable[JobRecord]) -> Scores:
    """Return the log seconds per call of each block's process, for jobs that count."""
    counted = tuple(select_counted_jobs(records))
    return Scores(
        floor={record.spec.block: compute_log_floor(report) for record, report in counted},
        typical={record.spec.block: compute_log_typical(record) for record, _ in counted},
        sampling={record.spec.block: sampling_from_record(record, report) for record, report in counted},
        least={record.spec.block: math.log(compute_least_floor_ns(record, report) / 1e9) for record, report in counted},
        samples={record.spec.block: sort_log_samples(report) for record, report in counted},
        undisturbed={record.spec.block: count_undisturbed_samples(record, report) for record, report in counted},
    )


def sampling_from_record(record: JobRecord, report: Report) -> Sampling:
    """Return the sampling of a process: the target length of its samples, and whether a call is longer."""
    return Sampling(record.spec.timing.sample_ns, slow=report.calls == 1)


def make_cost_curves(records: Iterable[JobRecord]) -> dict[int, CostCurve]:
    """Make the cost curve of each block's process, for jobs that count.

    The start of a forked process costs what it would have cost a fresh one; without any fresh one it has no curve.
    """
    counted = tuple(select_counted_jobs(records))
    fresh = select_fresh(report for _, report in counted)
    forked = [report for _, report in counted if report.forked]
    return {
        record.spec.block: make_cost_curve(
            report,
            classify_laps(report.warmup).start,
            floor_ns=compute_floor_ns(report),
            typical_ns=compute_typical_ns(record),
            least_floor_ns=compute_least_floor_ns(record, report),
            estimate=partial(estimate_start_cost, report=report, forked=forked, fresh=fresh),
        )
        for record, report in counted
        if fresh or not report.forked
    }


def select_counted_jobs(records: Iterable[JobRecord]) -> Iterator[tuple[JobRecord, Report]]:
    """Yield the measured jobs of a cell with their reports, except those that a CPU quota stopped."""
    for record in select_measured_jobs(records):
        if record.report is not None and not record.report.noise.throttled:
            yield record, record.report


def select_fresh(reports: Iterable[Report]) -> list[Report]:
    """Return the reports of processes that started in a fresh interpreter."""
    return [report for report in reports if not report.forked]


def compute_floor_ns(report: Report) -> float:
    """Return the nanoseconds per call of the fastest sample: the estimator that varies least between processes."""
    return min(report.samples_ns) / report.calls


def compute_least_floor_ns(record: JobRecord, report: Report) -> float:
    """Return the least nanoseconds per call that a process's disturbances leave possible for its floor."""
    return bound_floor_ns(record) / report.calls


def count_undisturbed_samples(record: JobRecord, report: Report) -> int:
    """Return the number of undisturbed samples of a process."""
    return find_disturbed_samples(report, count_cores(record)).count(False)


def sort_log_samples(report: Report) -> tuple[float, ...]:
    """Return the log seconds per call of all samples, ascending."""
    return tuple(math.log(sample / report.calls / 1e9) for sample in sorted(report.samples_ns))


def compute_typical_ns(record: JobRecord) -> float:
    """Return the nanoseconds per call of the process's median undisturbed sample."""
    report = record.report
    assert report is not None
    quiet = find_undisturbed_samples(report, count_cores(record))
    return statistics.median(report.samples_ns[index] for index in quiet) / report.calls


def compute_log_floor(report: Report) -> float:
    """Return the log seconds per call of the fastest sample."""
    return math.log(compute_floor_ns(report) / 1e9)


def compute_log_typical(record: JobRecord) -> float:
    """Return the log seconds per call of the process's median undisturbed sample."""
    return math.log(compute_typical_ns(record) / 1e9)


def collect_settling_times_ns(reports: Iterable[Report]) -> list[float]:
    """Return the time from the first result until calls were steady, for the processes in which they were."""
    found = [(report, classify_laps(report.warmup)) for report in reports]
    return [sum(took for _, took in report.warmup[1 : trace.start]) for report, trace in found if trace.kind != "none"]
