"""How long a sweep will take, from what jobs took lately, or roughly where nothing is known. Pure."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from orchestrator.plan import FRAMEWORKS
from schemas.job import Cell, Timing
from schemas.record import JobRecord


def seconds_by_framework(records: Iterable[JobRecord]) -> dict[str, float]:
    """The median of what a measured job took, by framework, in seconds."""
    took = defaultdict(list)
    for record in records:
        if record.outcome == "measured" and record.outside is not None:
            took[record.spec.cell.framework].append(record.outside.spawn_to_end_ns / 1e9)
    return {framework: statistics.median(values) for framework, values in took.items()}


def job_s(cell: Cell, timing: Timing, known: Mapping[str, float]) -> float:
    """What one job of a cell will take, in seconds."""
    if cell.framework in known:
        return known[cell.framework]
    measuring_ns = timing.warmup_min_ns + 1.5 * timing.samples * timing.sample_ns
    return FRAMEWORKS[cell.framework].start_s + measuring_ns / 1e9


def block_s(cells: Sequence[Cell], timing: Timing, known: Mapping[str, float]) -> float:
    """What one block of these cells will take, in seconds."""
    return sum(job_s(cell, timing, known) for cell in cells)
