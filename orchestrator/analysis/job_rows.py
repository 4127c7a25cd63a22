"""The rows of single jobs and of their samples: raw figures, one process at a time."""

from collections.abc import Iterator
from typing import TypeAlias

from orchestrator.analysis.derivation.disturbance import compute_lost_shares, count_cores, find_disturbed_samples
from orchestrator.analysis.derivation.process import Figures, Job, derive_process, read_phases
from orchestrator.analysis.quality.flags import find_flags
from schemas.event import PhaseCost
from schemas.job import Cell
from schemas.record import JobRecord

Scalar: TypeAlias = str | int | float | bool | None
Row: TypeAlias = dict[str, Scalar]


def cell_to_columns(cell: Cell) -> Row:
    """Return the columns that identify a cell."""
    plain = cell.model_dump(mode="json", exclude={"parameters"})
    sizes = {f"parameter_{name}": value for name, value in cell.parameters.items()}
    return {"cell": cell.id, "label": cell.label, **plain, **sizes}


def build_job_row(job: Job, canary_ns: float, *, sound: bool) -> Row:
    """Return the row of one job. `counts`: its process is one of those on which its cell's figures rest."""
    process = derive_process(job)
    figures = process.figures if sound and process.outcome == "measured" else None
    return {
        **cell_to_columns(process.cell),
        "node": process.node or None,
        "block": process.block,
        "position": process.position,
        "attempt": process.attempt,
        "outcome": process.outcome,
        "reason": process.reason or None,
        # A job in block 0 fills the cache, and so measures a cold one.
        "counts": figures is not None and process.block > 0 and not figures.throttled,
        "flags": ",".join(sorted(find_flags(process, canary_ns))) or None,
        "job_started": process.started,
        "job_ns": process.took_ns,
        **(figures_to_columns(figures) if figures else {}),
    }


def figures_to_columns(figures: Figures) -> Row:
    """Return the figures of one process. `floor_ns`, `median_ns` and `typical_ns` are nanoseconds per call."""
    return {
        "samples": len(figures.log_samples),
        "calls": figures.calls,
        "floor_ns": figures.floor_ns,
        "typical_ns": figures.typical_ns,
        "median_ns": figures.median_ns,
        "first_result_ns": figures.first_result_ns,
        "loop_overhead_ns": figures.null_ns,
        "canary_ns": figures.canary_ns,
        "compilations": figures.compilations,
        "versions": " ".join(f"{name}={version}" for name, version in figures.versions.items()),
        **{f"{metric}_bytes": count for metric, count in figures.memory.items()},
        **{name: value for cost in read_phases(figures) for name, value in phase_to_columns(cost)},
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
    report = record.report if sound and record.outcome == "measured" else None
    if report is None:
        return
    job = build_job_row(record, canary_ns, sound=sound)
    kept = {name: job[name] for name in (*cell_to_columns(record.spec.cell), "node", "block", "attempt", "counts")}
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
