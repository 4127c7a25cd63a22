"""The rows of single jobs and of their samples: raw figures, one process at a time."""

import statistics
from collections.abc import Iterator
from typing import TypeAlias

from orchestrator.analysis.costs.cost_curve import first_result_ns
from orchestrator.analysis.costs.memory import compute_memory_metrics
from orchestrator.analysis.process_scores import compute_floor_ns, compute_typical_ns
from orchestrator.analysis.quality.disturbance import (
    compute_lost_shares,
    count_cores,
    find_disturbed_samples,
    find_flags,
)
from schemas.event import PhaseCost, Report
from schemas.job import Cell
from schemas.record import JobRecord

Scalar: TypeAlias = str | int | float | bool | None
Row: TypeAlias = dict[str, Scalar]


def cell_to_columns(cell: Cell) -> Row:
    """Return the columns that identify a cell."""
    plain = cell.model_dump(mode="json", exclude={"parameters"})
    sizes = {f"parameter_{name}": value for name, value in cell.parameters.items()}
    return {"cell": cell.id, "label": cell.label, **plain, **sizes}


def build_job_rows(record: JobRecord, canary_ns: float, *, sound: bool) -> Iterator[Row]:
    """Yield the row of one job. `counts`: its process is one of those on which its cell's figures rest."""
    spec, outside, report = record.spec, record.outside, select_sound_report(record, sound=sound)
    yield {
        **cell_to_columns(spec.cell),
        "block": spec.block,
        "position": spec.position,
        "attempt": spec.attempt,
        "outcome": record.outcome,
        "reason": record.reason or None,
        # A job in block 0 fills the cache, and so measures a cold one.
        "counts": report is not None and spec.block > 0 and not report.noise.throttled,
        "flags": ",".join(sorted(find_flags(record, canary_ns))) or None,
        "job_started": outside.started if outside else None,
        "job_ns": outside.spawn_to_end_ns if outside else None,
        **(report_to_columns(record, report) if report else {}),
    }


def select_sound_report(record: JobRecord, *, sound: bool) -> Report | None:
    """Return the report of a job whose figures count: its own outcome and that of its cell are good."""
    return record.report if sound and record.outcome == "measured" else None


def report_to_columns(record: JobRecord, report: Report) -> Row:
    """Return the figures of one process. `floor_ns`, `median_ns` and `typical_ns` are nanoseconds per call."""
    return {
        "samples": len(report.samples_ns),
        "calls": report.calls,
        "floor_ns": compute_floor_ns(report),
        "typical_ns": compute_typical_ns(record),
        "median_ns": statistics.median(report.samples_ns) / report.calls,
        "first_result_ns": first_result_ns(report),
        "loop_overhead_ns": report.overhead.null_ns,
        "canary_ns": min(report.noise.canary_ns, default=None),
        "compilations": report.compilations,
        "versions": " ".join(f"{name}={version}" for name, version in report.versions.items()),
        **{f"{metric}_bytes": count for metric, count in compute_memory_metrics(report).items()},
        **{name: value for cost in report.phases for name, value in phase_to_columns(cost)},
    }


def phase_to_columns(cost: PhaseCost) -> Iterator[tuple[str, int]]:
    """Yield the time of a phase, and its parts as far as they are counted."""
    yield f"phase_{cost.name}_ns", cost.wall_ns
    parts = ("cpu", cost.cpu_ns), ("waiting", cost.waiting_ns), ("io", cost.io_ns), ("asleep", cost.asleep_ns)
    for part, took_ns in (*parts, ("stopped", cost.stopped_ns)):
        if took_ns is not None:
            yield f"phase_{cost.name}_{part}_ns", took_ns


def build_sample_rows(record: JobRecord, canary_ns: float, *, sound: bool) -> Iterator[Row]:
    """Yield a row for each sample of a job whose figures count. The typical time leaves out `disturbed` samples.

    Counters and canary are those of the sample's `burst`, numbered from 0.
    """
    report = select_sound_report(record, sound=sound)
    if report is None:
        return
    (job,) = build_job_rows(record, canary_ns, sound=sound)
    kept = {name: job[name] for name in (*cell_to_columns(record.spec.cell), "block", "attempt", "counts")}
    cores, noise = count_cores(record), report.noise
    lost, disturbed = compute_lost_shares(report, cores), find_disturbed_samples(report, cores)
    for index, took_ns in enumerate(report.samples_ns):
        reading = noise.reading_of(index)
        yield {
            **kept,
            "sample": index,
            "calls": report.calls,
            "sample_ns": took_ns,
            "call_ns": took_ns / report.calls,
            "burst": reading,
            "disturbed": disturbed[index],
            "lost_share": lost[index],
            "run_delay_ns": noise.run_delay_ns[reading],
            "steal_ns": noise.steal_ns[reading],
            "pressure_ns": noise.pressure_ns[reading],
            "cpu_ns": noise.cpu_ns[index],
            "canary_ns": noise.canary_ns[reading],
        }
