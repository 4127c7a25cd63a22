"""Estimates of a sweep's duration, from recent jobs or else from rough defaults. Pure."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from orchestrator.registry.frameworks import load_frameworks
from orchestrator.registry.modes import find_mode
from schemas.job import Cell, Timing
from schemas.record import JobRecord


def seconds_by_mode(records: Iterable[JobRecord]) -> dict[str, float]:
    """Return the median duration of measured jobs in seconds, by framework and mode."""
    took = defaultdict(list)
    for record in records:
        if record.outcome == "measured" and record.outside is not None:
            running_ns = record.outside.spawn_to_end_ns - record.outside.stopped_ns
            took[mode_label(record.spec.cell)].append(running_ns / 1e9)
    return {mode: statistics.median(values) for mode, values in took.items()}


def mode_label(cell: Cell) -> str:
    """Return framework and mode; a clone's label is that of its original."""
    return f"{cell.framework}:{cell.mode}"


def estimate_job_s(cell: Cell, timing: Timing, known: Mapping[str, float]) -> float:
    """Estimate the duration of one job of a cell, in seconds."""
    if mode_label(cell) in known:
        return known[mode_label(cell)]
    measuring_ns = timing.warmup_min_ns + 1.5 * timing.samples * timing.sample_ns
    return load_frameworks()[cell.framework].start_s + find_mode(cell).compile_s + measuring_ns / 1e9


def estimate_block_s(cells: Sequence[Cell], timing: Timing, known: Mapping[str, float]) -> float:
    """Estimate the duration of one block of these cells, in seconds."""
    return sum(estimate_job_s(cell, timing, known) for cell in cells)


def total_duration_s(records: Iterable[JobRecord]) -> float:
    """Return the total duration of these jobs in seconds."""
    return sum(record.outside.spawn_to_end_ns / 1e9 for record in records if record.outside is not None)


# Limits on how many records of earlier runs are read: to estimate how long jobs take, and to list what each mode was
# verified on. Reading delays the first job.
MAX_RECORDS_FOR_ESTIMATE = 200
